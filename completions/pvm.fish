complete --keep-order --exclusive --command pvm --arguments "(COMPLETE=fish pvm -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
