module github.com/postern-go/postern

go 1.25.0

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	github.com/gofrs/uuid/v5 v5.5.1
	github.com/justinas/alice v1.2.0
	github.com/rs/zerolog v1.35.1
	github.com/stretchr/testify v1.12.1
	golang.org/x/text v0.41.0
)

require (
	github.com/aws/smithy-go v1.28.9 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/rs/xid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.29.0 // indirect
)
