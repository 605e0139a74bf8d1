# comment
DCI_CLIENT_ID=remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f
DCI_API_SECRET='S3cretS3cret'
DCI_CS_URL="https://api.example.org/"
export DCI_CLIENT_ID DCI_API_SECRET DCI_CS_URL
