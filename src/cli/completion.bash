# bash completion for whereto. `whereto completion bash` prints this; what can be completed the program itself says.

_whereto() {
    local program=whereto kind lines line words=() helps=() i width=0
    [[ $1 == */* ]] && program=${1/#~\//$HOME/}
    COMPREPLY=()
    mapfile -t lines < <("$program" completion bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    kind=${lines[0]}
    case $kind in
        files) compopt -o default; return ;;
        dirs) compopt -o dirnames; return ;;
        parts) compopt -o nospace ;;
    esac
    for line in "${lines[@]:1}"; do
        words+=("${line%%$'\t'*}")
        helps+=("${line#*$'\t'}")
        ((${#words[-1]} > width)) && width=${#words[-1]}
    done
    # What they are is shown beside several, where they are only listed.
    for i in "${!words[@]}"; do
        if ((${#words[@]} > 1 && COMP_TYPE != 37 && COMP_TYPE != 42)) && [[ ${helps[i]} ]]; then
            printf -v line '%-*s  (%s)' "$width" "${words[i]}" "${helps[i]}"
            COMPREPLY+=("${line:0:${COLUMNS:-80}-2}")
        else
            COMPREPLY+=("${words[i]}")
        fi
    done
}

complete -o nosort -F _whereto whereto 2>/dev/null || complete -F _whereto whereto
