# Completion of outpost and outpostd for bash. It asks the program itself for its help, so it knows every command and
# option that the installed version has; where nothing of that fits, bash completes the name of a file.

_outpost_words() {  # COMMAND...: the subcommands and options in the command's help
  # CLI11 2.5 writes the headings in capitals, and "-h,     --help" for "-h,--help".
  "$@" --help 2>/dev/null | awk '
    /^[^ ]/                                { part = tolower($1); next }
    part == "subcommands:" && /^  [a-z]/   { print $1 }
    part == "options:" && /^ +-/           { for (i = 1; i <= NF && $i ~ /^-/; i++) { gsub(",", "\n", $i); print $i } }'
}

_outpost() {
  local current=${COMP_WORDS[COMP_CWORD]} command=("${COMP_WORDS[0]}") word words i
  # The subcommands before the cursor; an option may have a value, which is none of them.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == [a-z]* ]] && _outpost_words "${command[@]}" | grep -qFx -- "$word" && command+=("$word")
  done
  words=$(_outpost_words "${command[@]}")
  # Commands where a command can stand, options once a dash is there.
  if [[ $current == -* ]]; then words=$(grep '^-' <<<"$words"); else words=$(grep -v '^-' <<<"$words"); fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o bashdefault -o default -F _outpost outpost outpostd
