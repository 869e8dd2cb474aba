# The few verbs a newcomer needs; each is one script or one command, readable below.
#
#   make setup   install what is missing (idempotent, asks nothing)
#   make run     build and serve a local node in the foreground, with the first commands printed
#   make install copy binary, functions, engine and kit below PREFIX (/usr/local)
#   make test    every test; the last line is `N passed, N failed, N skipped`
#   make faults  a node that kills itself at each stage of a deploy (part of make live)
#   make live    the real-process tests at full length (about half an hour)
#   make fuzz    every reader of strangers' bytes, SECONDS=60 each (about ten minutes)
#   make sim     simulated clusters from one seed after the other; SECONDS=600
#   make crowd   membership of 100 and 1,000 simulated nodes beside memberlist's rules
#   make bench   speed and size beside Redis, nginx and PostgreSQL (about ten minutes)
#   make format  lay out the Swift code as the house does

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup build install run test live faults fuzz sim crowd bench format clean

help:
	@echo 'make setup   install what is missing (idempotent, asks nothing)'
	@echo 'make build   build .build/release/quell'
	@echo 'make install copy binary, functions, engine and kit below PREFIX=/usr/local'
	@echo 'make run     build, then serve a local node in the foreground'
	@echo 'make test    set up, build and run every test'
	@echo 'make faults  a node that kills itself at each stage of a deploy (part of make live)'
	@echo 'make live    kill -9, cut links, disk faults, bursts against real processes, full length'
	@echo 'make fuzz    libFuzzer on every parser, SECONDS=60 each; TARGET=csv for one'
	@echo 'make sim     simulated clusters, every fault, one seed after the other; SECONDS=600'
	@echo 'make crowd   membership of 100 and 1,000 simulated nodes beside memberlist; NODES SECONDS'
	@echo 'make bench   speed and size beside Redis, nginx and PostgreSQL; MARKS=10000000 for all'
	@echo 'make format  lay out the Swift code as the house does'
	@echo 'make clean   remove what was built (a local node in .quell/ stays)'

setup:
	@Scripts/setup.sh

build: setup
	@Scripts/build.sh

install: build
	@Scripts/install.sh $(or $(PREFIX),/usr/local)

run: build
	@exec .build/release/quell dev --dir .quell/dev

test:
	@Scripts/test.sh

faults: build
	@Scripts/faults.sh

live: build faults
	@QUELL_LIVE=full /usr/bin/python3 -m pytest Tests/Live -v -s

fuzz: setup
	@Scripts/fuzz.sh $(or $(SECONDS),60) $(TARGET)

sim: setup
	@Scripts/sim.sh $(or $(SECONDS),600)

crowd: setup
	@Scripts/crowd.sh $(NODES) $(SECONDS)

bench: build
	@Scripts/setup.sh bench
	@/usr/bin/python3 Tests/Benchmarks/bench.py $(if $(MARKS),--marks $(MARKS)) \
	    $(if $(ROWS),--rows $(ROWS)) $(if $(JSON),--json $(JSON))

format:
	@swift format format --in-place --parallel $$(git ls-files '*.swift')
	@/usr/bin/python3 Scripts/rewrap.py $$(git ls-files '*.swift')

clean:
	@rm -rf .build .build-faults .build-fuzz .build-sim
