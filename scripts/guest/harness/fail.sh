#!/bin/sh
# One test that passes, one that fails.
printf 'TAP version 13\n1..2\nok 1 first\nnot ok 2 second\n'
exit 1
