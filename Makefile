# Every target is a script; see README.md.  Variables given to make reach the
# scripts through the environment.
help:
	@echo 'make run            boot a kernel with kevent; its web server is at localhost:PORT (8080)'
	@echo 'make test           selftests in the guest, for VARIANTS ("plain plain32 kasan"; there is kcsan)'
	@echo 'make shell          a root shell in the guest'
	@echo 'make kernel         only build, for VARIANT (plain)'
	@echo 'make bench          instructions per event, beside epoll and io_uring'
	@echo 'make bench-full     with all peers and curves; writes build/bench/report.html'
	@echo 'make bench-native   wall time on the kernel that runs here, which has to have kevent'
	@echo 'make coverage       which lines of kevent do the selftests reach?'
	@echo 'make check-configs  does it build in every configuration, and is it gone with KEVENT=n?'
	@echo 'make check-diffs    do all diffs apply to every 6.12 the package archive lists?'
	@echo 'make series         the overlay as patches for git am, in build/series/'
	@echo 'make check-series   do they apply, one by one, and build?'
	@echo 'make check-docs     do the documents build without a warning?  They go to build/docs/'
	@echo 'make check-harness  are failed tests, splats, hangs and failed boots really caught?'
	@echo 'make check-browser  does the live page of the web server work, in a browser? Pictures in build/browser/'
	@echo 'make integrations   programs that use epoll, as they are, on kevent (PROGRAMS="memcached redis", SHORT=1)'
	@echo 'make clean          remove build/'
	@echo 'make distclean      remove the cache folder as well'
	@echo
	@echo 'PROG=program        for make run: that instead of the web server; ARGS="..."'
	@echo 'SHARE=dir           for make run and shell: /share in the guest'
	@echo 'PORT=number         of localhost, which leads to port 8080 of the guest (8080)'
	@echo 'SERVE=stream        for make run: the kernel receives and sends for the server'
	@echo 'VARIANT=name        kernel for run, shell, kernel (plain; kasan, kcsan ...)'
	@echo 'VARIANTS="names"    for make test ("plain plain32 kasan"; 32: 32-bit programs)'
	@echo 'TESTS=kevent:name   single tests'
	@echo 'CASES="files"       for make bench-native: lists of cases (bench/cases-native)'
	@echo 'STALL=seconds       without news from a guest, until it counts as hanging'
	@echo 'BOOT_TIMEOUT=, NMI_TIMEOUT=, TIMEOUT=seconds   likewise, see README.md'
	@echo 'KSRC=dir-or-tar     another kernel source than the package linux-source-6.12'
	@echo 'KEVENT_CACHE=dir    kernel trees, objects and ccache (default ~/.cache/kevent)'
	@echo 'ACCEL=name          -accel of QEMU (found out)'
	@echo 'SIGNED_OFF_BY="Name <address>"   for make series (who commits here)'

run shell:
	@scripts/run.sh $@

test:
	@scripts/test.sh

VARIANT ?= plain
kernel:
	@scripts/build.sh $(VARIANT)

bench:
	@scripts/packages.sh bench
	@scripts/build.sh plain
	@bench/run.sh

bench-full:
	@bench/full.sh

bench-native:
	@bench/native.sh

coverage:
	@scripts/coverage.sh

check-configs:
	@scripts/check-configs.sh

check-diffs:
	@scripts/check-diffs.sh

series:
	@scripts/series.sh

check-series:
	@scripts/check-series.sh

check-docs:
	@scripts/check-docs.sh

check-harness:
	@scripts/build.sh plain
	@scripts/test-harness.sh

check-browser:
	@scripts/packages.sh build browser
	@scripts/build.sh $(if $(filter file,$(origin VARIANT)),kasan,$(VARIANT))
	@scripts/browser-test.sh $(if $(filter file,$(origin VARIANT)),,$(VARIANT))

integrations:
	@integrations/run.sh

clean:
	@rm -rf build

distclean: clean
	@scripts/distclean.sh

.PHONY: help run shell test kernel bench bench-full bench-native coverage check-configs check-diffs series check-series \
	check-docs check-harness check-browser integrations clean distclean
