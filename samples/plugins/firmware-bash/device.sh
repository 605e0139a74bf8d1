# shellcheck shell=bash
# What the hooks of firmware-bash share: the device, and the image of the job's component.
# shellcheck source-path=SCRIPTDIR source=lib/hook.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/hook.sh"
needs_variables OUTPOST_JOB_ID OUTPOST_STATE OUTPOST_TMP

device=${OUTPOST_CONFIG_DEVICE:-}
[[ -n $device ]] || give_up 64 "configure device: the directory in which the device shows itself"
holder=$device/holder

# What the agent shall know beyond the log: tell VERB ARGUMENT..., a verb of outpost-hook. By hand there is nobody to tell.
tell() { :; }
if [[ -n ${OUTPOST_LIB:-} && -f $OUTPOST_LIB/hook.bash ]]; then
  # shellcheck source=/dev/null
  . "$OUTPOST_LIB/hook.bash"
  tell() { "hook_$1" "${@:2}" || say "the agent was not told: $1"; }
fi

device_is_there() { [[ -d $device && -f $device/firmware ]]; }

# Whether this job holds the device.
is_ours() { [[ -f $holder && $(<"$holder") == "$OUTPOST_JOB_ID" ]]; }

# The image, or the end of the hook when the job brings none.
image_of_component() {
  image=${OUTPOST_COMPONENT_FIRMWARE_PATH:-}/firmware.img
  [[ -n ${OUTPOST_COMPONENT_FIRMWARE_PATH:-} ]] || {
    say "this job has no component of the type firmware"
    exit 65
  }
  [[ -f $image && -f $image.sha256 ]] || give_up 1 "the component holds no firmware.img with its firmware.img.sha256"
}
