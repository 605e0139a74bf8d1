# shellcheck shell=bash
# A JUnit report from a bash hook; source hook.sh first.
#   junit_begin SUITE                  the report becomes $OUTPOST_RESULTS/SUITE.xml
#   check CLASS NAME COMMAND...        one case: passed when the command returns 0, failed with its output when it returns
#                                      1, an error (the check itself is broken) when it returns anything else
#   skip CLASS NAME REASON
#   junit_end                          writes the report; also done when the hook ends early

junit_begin() {
  needs_variables OUTPOST_RESULTS OUTPOST_TMP
  junit_suite=$1
  junit_cases=$OUTPOST_TMP/$1.cases
  junit_output=$OUTPOST_TMP/$1.output
  junit_tests=0 junit_failures=0 junit_errors=0 junit_skipped=0
  junit_start=$EPOCHREALTIME
  mkdir -p "$OUTPOST_RESULTS" "$OUTPOST_TMP"
  : >"$junit_cases"
  trap junit_end EXIT
}

# Text for an attribute or an element: XML 1.0 has no way to write most control bytes, and wants valid UTF-8.
xml_text() {
  iconv -c -f UTF-8 -t UTF-8 | LC_ALL=C tr -d '\000-\010\013-\037\177' |
    LC_ALL=C sed -e 's/\xEF\xBF[\xBE\xBF]//g' -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}
xml_attribute() { printf '%s' "${1//[$'\n\t']/ }" | xml_text; }

seconds_since() { awk -v start="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.3f", now - start }'; }

# junit_case CLASS NAME SECONDS [ELEMENT MESSAGE FILE]
junit_case() {
  junit_tests=$((junit_tests + 1))
  {
    printf '  <testcase classname="%s" name="%s" time="%s"' "$(xml_attribute "$1")" "$(xml_attribute "$2")" "$3"
    if [[ $# -eq 3 ]]; then
      printf '/>\n'
    else
      printf '>\n    <%s message="%s">' "$4" "$(xml_attribute "$5")"
      xml_text <"$6"
      printf '</%s>\n  </testcase>\n' "$4"
    fi
  } >>"$junit_cases"
}

check() {
  local class=$1 name=$2 start=$EPOCHREALTIME status message
  shift 2
  set +e # The subshell keeps errexit: in a condition it would be ignored, and a broken check would pass.
  (
    set -e
    "$@"
  ) </dev/null >"$junit_output" 2>&1
  status=$?
  set -e
  message=$(head -n 1 "$junit_output" | head -c 500 | tr -d '\000')
  case $status in
    0)
      say "ok      $class: $name"
      junit_case "$class" "$name" "$(seconds_since "$start")"
      ;;
    1)
      junit_failures=$((junit_failures + 1))
      say "FAILED  $class: $name"
      sed 's/^/          /' "$junit_output"
      junit_case "$class" "$name" "$(seconds_since "$start")" failure "${message:-the check failed}" "$junit_output"
      ;;
    *)
      junit_errors=$((junit_errors + 1))
      say "BROKEN  $class: $name (the check ended with status $status)"
      sed 's/^/          /' "$junit_output"
      junit_case "$class" "$name" "$(seconds_since "$start")" error "the check ended with status $status: $message" \
        "$junit_output"
      ;;
  esac
}

skip() {
  junit_skipped=$((junit_skipped + 1))
  say "skipped $1: $2 ($3)"
  junit_case "$1" "$2" 0 skipped "$3" /dev/null
}

junit_end() {
  trap - EXIT
  local part=$OUTPOST_RESULTS/.$junit_suite.part
  {
    printf '<?xml version="1.0" encoding="UTF-8"?>\n'
    printf '<testsuite name="%s" tests="%d" failures="%d" errors="%d" skipped="%d" time="%s">\n' \
      "$(xml_attribute "$junit_suite")" "$junit_tests" "$junit_failures" "$junit_errors" "$junit_skipped" \
      "$(seconds_since "$junit_start")"
    cat "$junit_cases"
    printf '</testsuite>\n'
  } >"$part"
  mv "$part" "$OUTPOST_RESULTS/$junit_suite.xml"
  rm -f "$junit_cases" "$junit_output"
  say "$junit_suite: $junit_tests checks, $junit_failures failed, $junit_errors broken, $junit_skipped skipped"
}
