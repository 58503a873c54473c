# The modules, innermost first. Each is tested as users get it: alone.
MODULES     := . s3test examples e2e bench
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
FUZZTIME    ?= 20s
ROUNDS      ?= 7
# The servers of others at which make providers runs tests: see e2e/internal/foreign.
PROVIDERS   ?= minio ceph-rgw seaweedfs

.PHONY: help check test providers fuzz demo fmt bench bench-http

help:
	@echo "make demo   the quickstart: upload in the browser, with an S3 server inside"
	@echo "make test   all tests, those in a real browser included"
	@echo "make providers  tests at S3 servers of others: PROVIDERS='$(PROVIDERS)'"
	@echo "make check  formatting, go vet, staticcheck, go.mod files"
	@echo "make types  the types of the browser module (needs npm)"
	@echo "make fuzz   every fuzz test for FUZZTIME=$(FUZZTIME)"
	@echo "make bench  Postern beside its peers, ROUNDS=$(ROUNDS) times; writes bench/RESULTS.md"
	@echo "make bench-http  the same over the wire, with wrk, Companion and tusd"

demo:
	@mkdir -p data
	@go -C examples build -o "$(CURDIR)/data/.quickstart" ./quickstart
	@exec data/.quickstart -dir "$(CURDIR)/data" $(ARGS)

check:
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "gofmt these:" $$unformatted; exit 1; fi
	@for m in $(MODULES); do \
		echo "check $$m" && \
		go -C $$m mod tidy -diff && \
		go -C $$m vet ./... && \
		go -C $$m run $(STATICCHECK) ./... || exit 1; \
	done

# Allocations are counted without the race detector, which empties pools.
test:
	@scripts/chromium
	@scripts/postgres
	@for m in $(filter-out e2e,$(MODULES)); do \
		go -C $$m test -race -timeout 20m ./... || exit 1; \
	done
	@go -C e2e test -race -count=1 -timeout 20m -p 1 ./... # one browser suite at a time; the cache does not see the programs they build
	@go test -run Alloc ./...

# The first run builds and installs the servers.
providers:
	@for s in $(PROVIDERS); do \
		scripts/$${s%-rgw} >/dev/null && \
		POSTERN_TEST_S3=$$s go -C e2e test -count=1 -timeout 20m ./internal/foreign ./foreign || exit 1; \
	done

fuzz:
	@for m in $(MODULES); do \
		for p in $$(go -C $$m list ./...); do \
			for f in $$(go -C $$m test -list '^Fuzz' $$p | grep '^Fuzz'); do \
				go -C $$m test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
			done; \
		done; \
	done

bench:
	@go -C bench run ./cmd/table -rounds $(ROUNDS)

bench-http:
	@scripts/bench-http
	@go -C bench run ./cmd/http

fmt:
	@gofmt -w .

# The browser module's types, by npm and TypeScript; no test needs them.
.PHONY: types
types:
	@npx --yes -p typescript@7.0.2 tsc --ignoreConfig --checkJs --allowJs --strict --noEmit --target es2022 \
		--module esnext --moduleResolution bundler --lib es2023,dom,dom.iterable client/postern.js client/*.d.ts
