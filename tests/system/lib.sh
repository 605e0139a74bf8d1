# shellcheck shell=bash
# What the tests of this folder share. Each says what it looks at, goes on after a check that fails, and ends with
# finish. Those that need a machine are run in one of their own (CMakeLists.txt), so they change what they like.
#   OUTPOST_PACKAGES   the directory with the packages that rpm/build made
#   OUTPOST_BIN        where the sample control server is
set -uo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/outpost-system.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

part() { printf '\n-- %s\n' "$*"; }

# check WHAT COMMAND...: the command succeeds. A simple sentence, true when it does.
check() {
  local what=$1; shift
  if "$@" >"$work/check" 2>&1; then
    echo "ok     $what"
  else
    echo "FAILED $what"
    printf '         by: %.200s\n' "$*"
    sed 's/^/         /' "$work/check"
    failures=$((failures + 1))
  fi
}

same() { [ "$1" = "$2" ] || { printf 'expected: %s\nis:       %s\n' "$2" "$1"; return 1; }; }
no() { ! "$@"; }
says() { grep -qE -- "$1" <<<"$2" || { printf 'no %s in:\n%s\n' "$1" "$2"; return 1; }; }

# Nothing after this would make sense.
fail() {
  echo "FAILED $*"
  if [ -d /run/systemd/system ]; then journalctl --no-pager -n 60 -o short-precise; fi
  exit 1
}

# wait_for WHAT COMMAND...: until the command succeeds; the limit is for hangs only.
wait_for() {
  local what=$1 give_up=$((SECONDS + ${patience:-120})); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $give_up ] || fail "waited in vain for: $what"
    sleep 0.05
  done
}

finish() {
  [ $failures -eq 0 ] || { echo "$failures checks failed"; exit 1; }
  exit 0
}

# ---- the service -------------------------------------------------------------------------------------------------------

# Debian's rpm keeps its database at home, and there is none.
use_rpm() {
  mkdir -p /etc/rpm
  echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros.dbpath
  rpm --initdb
}

# package RELEASE: the agent's.
package() { echo "$OUTPOST_PACKAGES"/outpost-[0-9]*-"$1"*."$(uname -m)".rpm; }
install_package() { use_rpm; rpm -U --nodeps "$(package 1)" || fail "the package does not install"; }

property() { systemctl show -P "$1" outpostd.service; }
main_pid() { property MainPID; }
is_new_process() { local pid; pid=$(main_pid); [ "$pid" != 0 ] && [ "$pid" != "$1" ] && systemctl is-active -q outpostd; }
waits_for_jobs() { [[ $(property StatusText) == "waiting until "* ]]; }
# Stops the service while it is busy, and does not let it wait for its jobs.
stop_now() {
  systemctl stop --no-block outpostd
  wait_for "the service to wait for its jobs" waits_for_jobs
  kill -TERM "$(main_pid)"
  systemctl stop outpostd
}
idle() { outpost status --json | jq -e '.jobs.running == [] and .jobs.waiting == [] and all(.reporters[]; .waiting == 0)'; }
processes_of_outpost() { ps -o pid= -o args= -u outpost; }
# Without the agent and what it keeps to start hooks with.
processes_of_hooks() { processes_of_outpost | grep -vE '^ *[0-9]+ [^ ]*/(outpostd|outpost-guardian|outpost-unpack)( |$)'; }
# The steps that systemd runs, in whatever slot.
processes_of_slots() { ps -eo user:20=,args= | grep '^outpost-job-'; }
step_is_down() { [ "$(systemctl show -P ActiveState outpost-step@1)" = inactive ]; }
log_of_service() { journalctl --no-pager -o cat -u outpostd.service; }

# ---- a control server for it -------------------------------------------------------------------------------------------

start_control_server() {
  run_control_server "$work/server" 0
  new_lab system
}

# run_control_server DATA PORT: one that has what an earlier one left there.
run_control_server() {
  systemd-run -q --unit=control-server -p Type=exec \
    "$OUTPOST_BIN/outpost-sample-server" --listen "127.0.0.1:$2" --data "$1" --port-file "$work/port" ||
    fail "the sample control server does not start"
  wait_for "the sample control server" test -s "$work/port"
  url=http://127.0.0.1:$(cat "$work/port")
  . "$project/samples/control-server/lab.sh"
}

# wait_for_end JOB: until it has ended, and the server has all of it.
wait_for_end() {
  wait_for "the end of job $1" is_final "$1"
  wait_for "the last deliveries" idle
}

# content_of JOB NAME: of an artifact, as the server has it.
content_of() {
  local id
  id=$(admin "$url/api/v1/jobs/$1/files?limit=200&offset=0" | jq -er --arg name "$2" '.files[] | select(.name == $name) | .id') &&
    admin "$url/api/v1/files/$id/content"
}

# log_of JOB STEP: the log of a step ("test/count/test.log"), put together from its pieces. Says when they do not follow
# each other, or one is there twice.
log_of() {
  local pieces id name size at=0
  pieces=$(admin "$url/api/v1/jobs/$1/files?limit=1000&offset=0" |
    jq -er --arg log "$2@" '[.files[] | select(.name | startswith($log))] | sort_by(.name)[] | "\(.id) \(.name) \(.size)"') || return
  while read -r id name size; do
    [ $((10#${name##*@})) -eq $at ] || { echo "$name does not follow byte $at"; return 1; }
    at=$((at + size))
    admin "$url/api/v1/files/$id/content"
  done <<<"$pieces"
}

# comment_of JOB: the comment of its last state at the server.
comment_of() { admin "$url/api/v1/jobs/$1/jobstates?sort=created_at&limit=50&offset=0" | jq -er '.jobstates[-1].comment'; }

# our_job: the agent's own name for the job that runs.
our_job() { outpost status --json | jq -er '.jobs.running[0].job_id'; }

# announce VERSION: a component without files, for jobs whose hooks need none.
announce() {
  post components "{\"display_name\": \"ACME Storage $1\", \"version\": \"$1\", \"type\": \"acme-storage\",
    \"topic_id\": \"$topic\", \"tags\": [\"build:candidate\"], \"state\": \"active\"}" >/dev/null
}

# configure PLUGIN...: the service's configuration, with a job for new_lab's topic; runner=systemd has systemd run its
# hooks, job_options are more lines of the job.
configure() {
  dcirc >/etc/outpost/dcirc.sh
  chgrp outpost /etc/outpost/dcirc.sh && chmod 0640 /etc/outpost/dcirc.sh
  cat >/etc/outpost/outpost.yml <<END
sources:
  dci: {type: dci, credentials: /etc/outpost/dcirc.sh, poll: 1s}
jobs:
  - name: acme-nightly
    source: dci
    topic: ACME-1
    components: ["acme-storage?tags:build:candidate"]
    plugins: [$(IFS=,; echo "$*")]
    grace: 1s
${job_options:-}
runner: ${runner:-local}
END
  outpost config check || fail "the configuration is wrong"
}

# shipped PLUGIN: one that comes with the project becomes one of the site's, with what plugins share in place of a link.
shipped() {
  cp -r "$project/hooks/plugins/$1" /etc/outpost/plugins.d/
  rm /etc/outpost/plugins.d/"$1"/lib
  cp -r "$project/hooks/plugins/lib" /etc/outpost/plugins.d/"$1"/lib
}

# hook PLUGIN STAGE: of the site's own plugin, from standard input.
hook() {
  local folder=/etc/outpost/plugins.d/50-$1/hooks
  mkdir -p "$folder"
  cat >"$folder/$2"
  chmod 0755 "$folder/$2"
}
