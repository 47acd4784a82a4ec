#compdef whereto
# zsh completion for whereto. `whereto completion zsh` prints this; what can be completed the program itself says.

_whereto() {
    local program=${(Q)words[1]} kind line
    local -a lines texts shown behind
    [[ $program == */* ]] && program=${~program} || program=whereto
    lines=("${(@f)$($program completion zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    kind=$lines[1]
    case $kind in
        files) _files; return ;;
        dirs) _files -/; return ;;
        parts) behind=(-S '') ;;
    esac
    for line in "${(@)lines[2,-1]}"; do
        texts+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    (( $#texts )) && compadd -V whereto -l -d shown "${behind[@]}" -a texts
}

if [[ $funcstack[1] == _whereto ]]; then
    _whereto "$@"
else
    compdef _whereto whereto
fi
