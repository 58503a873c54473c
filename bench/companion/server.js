// Uppy's Companion as a plug-in of an Express server, as its README says, for
// uploads to S3 alone. It prints its address when it listens.
import { randomUUID } from 'node:crypto'
import { extname } from 'node:path'
import * as companion from '@uppy/companion'
import express from 'express'
import session from 'express-session'

const server = { host: '127.0.0.1', protocol: 'http' }
const { app: uploads } = companion.app({
  server,
  filePath: process.argv[2],
  secret: 'a secret of the benchmark',
  uploadUrls: ['http://127.0.0.1'],
  corsOrigins: true,
  metrics: false,
  s3: {
    key: 'AKIAIOSFODNN7EXAMPLE',
    secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    bucket: 'acme-uploads',
    region: 'eu-central-1',
    conditions: [['content-length-range', 1, 10 << 20]],
    expires: 300,
    getKey: ({ filename }) => `acme/${new Date().toISOString().slice(0, 10)}/${randomUUID()}${extname(filename)}`,
  },
})

const app = express()
app.use(express.json())
app.use(session({ secret: 'a secret of the benchmark', resave: false, saveUninitialized: false }))
app.use(uploads)

const listening = app.listen(0, server.host, () => {
  console.log(`listening on http://${server.host}:${listening.address().port}`)
})
