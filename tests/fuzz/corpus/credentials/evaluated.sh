export DCI_CLIENT_ID="feeder/1" DCI_API_SECRET=S3cret\
S3cret; A=$(id) B=`id`
