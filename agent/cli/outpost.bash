# Completion of outpost and outpostd for bash. It asks the program itself for its help, so it knows every command and
# option that the installed version has; where nothing of that fits, bash completes the name of a file.

_outpost_words() {  # COMMAND...: the subcommands and options in the command's help
  # CLI11 2.5 writes the headings in capitals, and "-h,     --help" for "-h,--help".
  "$@" --help 2>/dev/null | awk '
    /^[^ ]/                                { part = tolower($1); next }
    part == "subcommands:" && /^  [a-z]/   { print $1 }
    part == "options:" && /^ +-/           { for (i = 1; i <= NF && $i ~ /^-/; i++) { gsub(",", "\n", $i); print $i } }'
}

_outpost_names() {  # PROGRAM COMMAND...: the first column of what it lists, without its heading and its remarks
  local bound=()
  type -P timeout >/dev/null && bound=(timeout 2)  # Nobody waits longer at a TAB for a daemon that hangs.
  "${bound[@]}" "$@" 2>/dev/null | awk -F '  ' '/^$/ { exit } !/^ / && $1 !~ /^(no |NAME$|What )/ { print $1 }'
}

# WORDS CURRENT: those that begin like what is typed, as they are typed. Names are others' text and no shell code, so
# nothing may expand them, as compgen -W does.
_outpost_offer() {
  local word typed='' breaks=${COMP_WORDBREAKS//[!:=@]/}
  [[ -n $breaks ]] && typed=${2%"${2##*[$breaks]}"}  # Bash replaces only what is behind it.
  COMPREPLY=()
  while IFS= read -r word; do
    [[ -n $word ]] && printf -v word %q "$word" && [[ $word == "$2"* ]] && COMPREPLY+=("${word#"$typed"}")
  done <<<"$1"
}

_outpost() {
  local command=("${COMP_WORDS[0]}") where=() last='' word words current i
  # The subcommands before the cursor; an option may have a value, which is none of them.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    # Of a value behind "=" that is a word too.
    [[ $word == = ]] && continue
    # The daemon that is meant.
    [[ $last == --config || $last == --socket ]] && where+=("$last" "$word")
    last=$word
    [[ $word == [a-z]* ]] && _outpost_words "${command[@]}" | grep -qFx -- "$word" && command+=("$word")
  done
  # The whole word: bash has divided COMP_WORDS at colons, which nearly every key of an alarm has.
  current=${COMP_LINE:0:COMP_POINT}
  current=${current//'\ '/$'\1'} current=${current##*[[:space:]]} current=${current//$'\1'/'\ '}
  words=$(_outpost_words "${command[@]}")
  case "${command[*]:1}" in
    'job start' | 'job run') ;;
    'job '*) words+=$'\n'$(_outpost_names "${command[0]}" job list "${where[@]}") ;;
    'plugin show') words+=$'\n'$(_outpost_names "${command[0]}" plugin list "${where[@]}") ;;
    'resource lock' | 'resource unlock') words+=$'\n'$(_outpost_names "${command[0]}" resource list "${where[@]}") ;;
    'reporter '* | 'spool list' | 'spool flush') words+=$'\n'$(_outpost_names "${command[0]}" reporter list "${where[@]}") ;;
    'alarm ack') words+=$'\n'$(_outpost_names "${command[0]}" alarm list "${where[@]}") ;;
  esac
  # Commands where a command can stand, options once a dash is there.
  if [[ $current == -* ]]; then words=$(grep '^-' <<<"$words"); else words=$(grep -v '^-' <<<"$words"); fi
  _outpost_offer "$words" "$current"
}

complete -o bashdefault -o default -F _outpost outpost outpostd
