# fish completion for whereto. `whereto completion fish` prints this; what can be completed the program itself says.

function __whereto_complete
    set -l words (commandline -opc)
    set -l lines (whereto completion fish -- $words[2..-1] (commandline -ct) 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path (commandline -ct)
        case dirs
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end

complete -c whereto -f -k -a '(__whereto_complete)'
