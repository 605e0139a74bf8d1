# Functions for hooks in bash: . "$OUTPOST_LIB/hook.bash". Each verb of outpost-hook(1) is a function hook_<verb>.

_hook_verbs=(result junit artifact var env secret redact group note warn error summary progress status timeout heartbeat
  retry resource metric component abort cancelled reboot exec)
for _hook_verb in "${_hook_verbs[@]}"; do
  eval "hook_${_hook_verb}() { outpost-hook ${_hook_verb} \"\$@\"; }"
done
unset _hook_verb _hook_verbs

# hook_case NAME COMMAND [ARGUMENT...]: runs a command as a test case, and reports it. What the command prints is in the log,
# its last line is the message of a case that fails. It runs in a shell of its own. HOOK_SUITE is the suite. Ends as the
# command did.
hook_case() {
  local name=$1 output began=$EPOCHREALTIME ended status message=() suite=()
  shift
  output=$(mktemp) || return
  { status=$({ { "$@" 2>&1 && echo 0 >&3 || echo "$?" >&3; } | tee "$output" >&4; } 3>&1); } 4>&1
  ended=$EPOCHREALTIME
  [ "$status" -eq 0 ] || message=(--message "ended with $status: $(tail -n 1 "$output")")
  [ -z "${HOOK_SUITE:-}" ] || suite=(--suite "$HOOK_SUITE")
  rm -f "$output"
  local outcome=pass
  [ "$status" -eq 0 ] || outcome=fail
  # EPOCHREALTIME has a comma in some locales.
  outpost-hook result "$name" "$outcome" "${suite[@]}" "${message[@]}" \
    --duration "$(((${ended//[.,]/} - ${began//[.,]/}) / 1000))ms" || return
  return "$status"
}

# hook_step TITLE COMMAND [ARGUMENT...]: a part of the log of its own. Ends as the command did.
hook_step() {
  local status=0
  outpost-hook group start "$1" || return
  shift
  "$@" || status=$?
  outpost-hook group end || return
  return "$status"
}
