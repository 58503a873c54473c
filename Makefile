# The modules, innermost first. Each is tested as users get it: alone.
MODULES     := . s3test posterntest lock/redis lock/postgres quota/redis quota/postgres events/sqs events/nats observe/prometheus observe/otel cmd/postern examples e2e bench
# Those that are released; the others never get a tag. See RELEASING.md.
TAGGED      := . s3test
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
APIDIFF     := golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
FUZZTIME    ?= 20s
ROUNDS      ?= 7
# Schedules of completions that make test simulates; a million take some ten minutes.
SCHEDULES   ?= 100000
# The servers of others at which make providers runs tests: see e2e/internal/foreign.
PROVIDERS   ?= minio ceph-rgw seaweedfs
# The browsers in which make engines runs the page tests, and those of the page tests
# that make test runs in each browser: a form, a PUT, parts with a pause, a form control
# with a drop, and Uppy.
BROWSERS    ?= chromium firefox webkit
PAGES       := ./browser ./component ./clients ./gallery ./pages
# Where make pictures leaves them.
DIR         ?= $(CURDIR)/data/pictures
SMOKE       := ^Test(ThreeFilesAtOnceArriveByteForByte|FilesGoUpByPut|AnUploadInPartsIsPausedAndGoesOn|TheFormSendsTheKeysOfWhatWasChosenAndDropped|UppyUploadsInPartsPausesAndGoesOn)$$
export GOVULNCHECK APIDIFF FUZZTIME

.PHONY: help check deps test pictures engines providers client fuzz vuln api release-check update demo fmt bench bench-http bench-page

help:
	@echo "make demo   the quickstart: upload in the browser, with an S3 server inside"
	@echo "make test   all tests, those in a real browser included"
	@echo "make engines  every page test in each browser: BROWSERS='$(BROWSERS)'"
	@echo "make providers  tests at S3 servers of others: PROVIDERS='$(PROVIDERS)'"
	@echo "make pictures  every page in the light, in the dark, narrow and from right to left: DIR=$(DIR)"
	@echo "make check  formatting, go vet, staticcheck, go.mod files; types and lint of the browser's side"
	@echo "make deps   the go.mod files agree (a part of make check)"
	@echo "make client what is served to browsers, client/dist, of the sources in client/src"
	@echo "make fuzz   every fuzz test for FUZZTIME=$(FUZZTIME)"
	@echo "make vuln   known vulnerabilities of the dependencies (needs vuln.go.dev)"
	@echo "make api    what changed for users since the last tag"
	@echo "make update the newest dependencies, in all go.mod files"
	@echo "make release-check VERSION=v0.1.0  whether this commit can become it"
	@echo "make bench  Postern beside its peers, ROUNDS=$(ROUNDS) times; writes bench/RESULTS.md"
	@echo "make bench-http  the same over the wire, with wrk, Companion and tusd"
	@echo "make bench-page  a page uploads over a slow line, by <postern-upload> and by Uppy"

demo:
	@mkdir -p data
	@go -C examples build -o "$(CURDIR)/data/.quickstart" ./quickstart
	@exec data/.quickstart -dir "$(CURDIR)/data" $(ARGS)

check: deps
	@unformatted="$$(find . -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +)"; if [ -n "$$unformatted" ]; then echo "gofmt these:" $$unformatted; exit 1; fi
	@for m in $(MODULES); do \
		echo "check $$m" && \
		go -C $$m mod tidy -diff && \
		go -C $$m vet ./... && \
		go -C $$m run $(STATICCHECK) ./... || exit 1; \
	done
	@scripts/npm client
	@echo "check client"
	@npm --prefix client run --silent check

client:
	@scripts/npm client
	@npm --prefix client run --silent build

deps:
	@scripts/deps $(TAGGED)

# make check vets what test runs: vetting it here means all dependencies once more, with
# other flags. The modules after those that the rest builds on run two at a time, a
# package each: many of them wait for servers and locks.
test:
	@scripts/chromium
	@scripts/firefox
	@scripts/webkit
	@scripts/postgres
	@scripts/redis
	@scripts/nats >/dev/null
	@scripts/prometheus
	@scripts/rclone
	@scripts/npm events/sqs/testdata/server
	@scripts/clamav
	@scripts/npm client
	@npm --prefix client run --silent test
	@scripts/corpus
	@for m in $(TAGGED); do \
		go -C $$m test -race -vet=off -shuffle=on -timeout 20m ./... || exit 1; \
	done
	@printf '%s\n' $(filter-out $(TAGGED) e2e,$(MODULES)) | xargs -P 2 -I {} go -C {} test -race -vet=off -shuffle=on -timeout 20m -p 1 ./...
	@go -C e2e test -race -vet=off -shuffle=on -count=1 -timeout 20m -p 1 ./... # one browser suite at a time; the cache does not see the programs they build
	@go test -vet=off -count=1 -run InAnySchedule ./internal/completion/simulation -schedules $(SCHEDULES)
	@for b in $(filter-out chromium,$(BROWSERS)); do \
		POSTERN_TEST_BROWSER=$$b go -C e2e test -race -vet=off -count=1 -timeout 20m -p 1 -run '$(SMOKE)' ./browser ./component ./clients || exit 1; \
	done
	@scripts/allocs

pictures:
	@scripts/chromium
	@scripts/npm client
	@mkdir -p "$(DIR)"
	@E2E_PICTURES="$(abspath $(DIR))" go -C e2e test -count=1 ./pages
	@echo "$(DIR)"

engines:
	@scripts/chromium
	@scripts/firefox
	@scripts/webkit
	@scripts/postgres
	@scripts/npm client
	@for b in $(BROWSERS); do \
		echo "pages in $$b" && \
		POSTERN_TEST_BROWSER=$$b go -C e2e test -count=1 -timeout 40m -p 1 $(PAGES) || exit 1; \
	done

# The first run builds and installs the servers.
providers:
	@scripts/rclone
	@for s in $(PROVIDERS); do \
		scripts/$${s%-rgw} >/dev/null && \
		POSTERN_TEST_S3=$$s go -C e2e test -count=1 -timeout 20m ./internal/foreign ./foreign && \
		POSTERN_TEST_S3=$$s go -C e2e test -count=1 -timeout 20m -run 'EveryProvider|EveryWay|ServersOfOthers' ./s3 || exit 1; \
		if [ "$$s" = minio ]; then POSTERN_TEST_S3=$$s go -C e2e test -count=1 -run 'ServersWebhook|S3InMemory|ExplainNames|DoctorFinds' ./events ./s3 ./command && POSTERN_TEST_S3=$$s go -C e2e test -count=1 ./sessions || exit 1; fi; \
	done

fuzz:
	@scripts/fuzz

vuln:
	@scripts/vuln

api:
	@scripts/api $(TAGGED)

release-check: deps api
	@scripts/release-check "$(VERSION)" $(TAGGED)

update:
	@scripts/update

bench:
	@go -C bench run ./cmd/table -rounds $(ROUNDS)

bench-http:
	@scripts/bench-http
	@go -C bench run ./cmd/http

bench-page:
	@scripts/chromium
	@scripts/npm bench/uppy
	@go -C bench run ./cmd/page -rounds $(ROUNDS)
	@go -C bench run ./cmd/page -slower 4 -rounds 1

fmt:
	@find . -name node_modules -prune -o -name '*.go' -exec gofmt -w {} +
