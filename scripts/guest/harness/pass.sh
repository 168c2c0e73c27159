#!/bin/sh
# Two tests that pass and one that is skipped.
printf 'TAP version 13\n1..3\nok 1 first\nok 2 second\nok 3 third # SKIP not here\n'
