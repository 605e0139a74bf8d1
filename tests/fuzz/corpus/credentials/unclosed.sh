DCI_CLIENT_ID=remoteci/1
DCI_API_SECRET="S3cretS3cret
