#!/bin/sh
# Stands in for rhcert-cli: the same commands, and result files of the same form. STATE is the directory that it works in:
#   STATE/tests     the tests that it can plan, "NAME OUTCOME [DEVICE]" a line
#   STATE/calls     what it was asked to do
# Written from what is known of the real one from outside; see hooks/plugins/rhcert/README.md.
set -eu
STATE=@STATE@
echo "$*" >>"$STATE/calls"
read -r answer && [ "$answer" = y ] || { echo "nobody said yes" >&2; exit 1; }

case "$1 ${2:-}" in
  "clean all") rm -f "$STATE/plan" "$STATE/ran" ;;
  "plan ") cp "$STATE/tests" "$STATE/plan" ;;
  run\ *)
    shift
    chosen=
    while [ $# -gt 0 ]; do
      case $1 in
        --test) grep -q "^$2 " "$STATE/plan" || { echo "Error: No such test: $2"; exit 1; }; chosen="$chosen $2" ;;
        --tag) chosen=$(cut -d' ' -f1 "$STATE/plan") ;;
        --device | --server) ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
      esac
      shift 2
    done
    for name in $chosen; do echo "Running $name"; grep "^$name " "$STATE/plan" >>"$STATE/ran"; done
    [ ! -e "$STATE/restarts" ] || touch "$STATE/lock"
    ;;
  "save ")
    mkdir -p "$STATE/save"
    file=$STATE/save/rhcert-results-lab.example-20261126$(printf %06d "$(ls "$STATE/save" | wc -l)").xml
    {
      echo '<rhcert rhcert-version="8.66"><certification id="1" test-plan-status="started"><plan-component id="1" name="hardware"/></certification>'
      while read -r name outcome device; do
        echo "<test name=\"$name\" path=\"hwcert/$name\"${device:+ logical-device=\"$device\"}>"
        if grep -q "^$name " "$STATE/ran" 2>/dev/null; then
          echo "<run number=\"1\" run-time=\"2026-11-26 12:00:00\" end-time=\"2026-11-26 12:01:00\" return-value=\"0\">"
          echo "<output>starting $name &amp; friends"
          [ "$outcome" != FAIL ] || echo "Error: $name found too little"
          echo "</output><command command=\"probe $name\" return-value=\"$([ "$outcome" = FAIL ] && echo 3 || echo 0)\"><stderr>probe: nothing there</stderr></command>"
          [ "$outcome" = NONE ] || echo "<summary data-value=\"$outcome\">$outcome</summary>"
          echo "</run>"
        fi
        echo "</test>"
      done <"$STATE/plan"
      echo "</rhcert>"
    } >"$file"
    [ ! -e "$STATE/compress" ] || gzip "$file"
    ;;
  *) echo "unknown command $*" >&2; exit 2 ;;
esac
