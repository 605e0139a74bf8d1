# Completion of outpost and outpostd for bash. It asks the program itself for its help, so it knows every command and
# option that the installed version has; where nothing of that fits, bash completes the name of a file.

_outpost_words() {  # COMMAND...: the subcommands and options in the command's help
  # CLI11 2.5 writes the headings in capitals, and "-h,     --help" for "-h,--help".
  "$@" --help 2>/dev/null | awk '
    /^[^ ]/                                { part = tolower($1); next }
    part == "subcommands:" && /^  [a-z]/   { print $1 }
    part == "options:" && /^ +-/           { for (i = 1; i <= NF && $i ~ /^-/; i++) { gsub(",", "\n", $i); print $i } }'
}

_outpost_names() {  # PROGRAM COMMAND...: the first words of what it lists, without its heading and its remarks
  "$@" 2>/dev/null | awk '$1 == "" { exit } !/^ / && $1 != "no" && $1 != "NAME" && $1 != "What" { print $1 }'
}

_outpost() {
  local current=${COMP_WORDS[COMP_CWORD]} command=("${COMP_WORDS[0]}") word words i
  # The subcommands before the cursor; an option may have a value, which is none of them.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == [a-z]* ]] && _outpost_words "${command[@]}" | grep -qFx -- "$word" && command+=("$word")
  done
  words=$(_outpost_words "${command[@]}")
  case "${command[*]:1}" in
    'job start' | 'job run') ;;
    'job '*) words+=$'\n'$(_outpost_names "${command[0]}" job list) ;;
    'plugin show') words+=$'\n'$(_outpost_names "${command[0]}" plugin list) ;;
    'resource lock' | 'resource unlock') words+=$'\n'$(_outpost_names "${command[0]}" resource list) ;;
    'reporter '* | 'spool list' | 'spool flush') words+=$'\n'$(_outpost_names "${command[0]}" reporter list) ;;
    'alarm ack') words+=$'\n'$(_outpost_names "${command[0]}" alarm list) ;;
  esac
  # Commands where a command can stand, options once a dash is there.
  if [[ $current == -* ]]; then words=$(grep '^-' <<<"$words"); else words=$(grep -v '^-' <<<"$words"); fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o bashdefault -o default -F _outpost outpost outpostd
