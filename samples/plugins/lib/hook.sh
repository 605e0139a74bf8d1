# shellcheck shell=bash
# What the bash hooks of the sample plugins share. A hook begins with
#   . "$(dirname "$(readlink -f "$0")")/../lib/hook.sh"
# The contract's exit codes that are used here: 64 the hook was called wrongly, 77 the lab is at fault (never the
# product), 78 something is not set up on this machine.
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC
PATH=$PATH:/usr/sbin:/sbin # chroot(8) and friends, which an ordinary user's PATH lacks.

say() { printf '%s\n' "$*"; }

# give_up EXIT_CODE TEXT
give_up() {
  printf 'ERROR: %s\n' "$2" >&2
  exit "$1"
}

# The variables that the agent sets; a hook run by hand gets a sentence and not "unbound variable".
needs_variables() {
  local name
  for name in "$@"; do
    [[ -n ${!name:-} ]] || give_up 64 "$name is not set: hooks are run by the agent, or by samples/plugins/selftest"
  done
}

# needs_command COMMAND PACKAGE
needs_command() {
  command -v "$1" >/dev/null || give_up 78 "the command $1 is missing on this machine: install the package $2"
}

# The product is installed into this directory and never onto the lab's own system.
scratch_root() { printf '%s/root' "$OUTPOST_WORKSPACE"; }

# Runs a command that insists on being root. As an ordinary user that is a user namespace in which the user is root:
# enough to install and check files that belong to root there, and to chroot.
as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  else
    unshare --map-root-user -- "$@"
  fi
}

needs_as_root() {
  as_root true 2>/dev/null || give_up 77 "an ordinary user needs user namespaces for this (see unshare(1) and the sysctl
user.max_user_namespaces); without them run the agent's jobs as root"
}

# rpm's database lies in /var/lib/rpm of the scratch root, whatever the distribution's default is (Debian's would be the
# home directory). HOME is this hook's own, so nobody's settings are touched.
use_own_rpm_settings() {
  needs_variables OUTPOST_TMP
  export HOME=$OUTPOST_TMP/home
  mkdir -p "$HOME"
  printf '%%_dbpath /var/lib/rpm\n' >"$HOME/.rpmmacros"
}

rpm_in_root() { as_root rpm --root "$(scratch_root)" "$@"; }

# The package repositories in all components of this job, one directory a line.
repositories() {
  local name
  compgen -e | { grep -E '^OUTPOST_COMPONENT_.+_PATH$' || true; } | sort | while read -r name; do
    [[ ! -d ${!name} ]] || find "${!name}" -type f -path '*/repodata/repomd.xml' -printf '%h\n'
  done | sed 's,/repodata$,,' | sort -u
}
