# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_pvm_global_optspecs
    string join \n root= o/output= color= config= v/verbose q/quiet c/connect= nova-config= h/help V/version
end

function __fish_pvm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_pvm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_pvm_using_subcommand
    set -l cmd (__fish_pvm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c pvm -n "__fish_pvm_needs_command" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_needs_command" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_needs_command" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_needs_command" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_needs_command" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_needs_command" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_needs_command" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_needs_command" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_needs_command" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "check-config" -d 'Validate [pci] device_spec and alias exactly as Nova does, and warn about mistakes Nova silently accepts'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "inventory" -d 'Show devices: whether they are tagged live_migratable, which driver is bound, what probing found'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "preflight" -d 'Check whether guests can migrate from SRC to DST, every reason if not, and which devices they get'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "migrate" -d 'Migrate a running guest to DST'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "recover" -d 'Complete or roll back an interrupted migration'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "verify" -d 'Check that the device state was loaded on the destination'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "explain" -d 'Explain a finding: what it means, how to check by hand, how to fix'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "evidence" -d 'Print what this host has written about a guest'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "storage" -d 'Print what this host knows of disk images'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "paths" -d 'Print what is at paths of this host'
complete -c pvm -n "__fish_pvm_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l host -d 'Also check against the devices of this host' -r
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l trace -d 'Show which device_spec matches a device of --host, and why the earlier ones do not' -r
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l compare -d 'Also check that another copy (controller, peer) agrees: a configuration or a host' -r
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l request -d 'Show what a flavor with this would request, and which device_specs could serve it' -r
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l fix -d 'Print the file with every harmless correction made; writes nothing'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l diff -d 'Print these corrections as a diff'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -l strict -d 'Treat warnings as errors'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand check-config" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l probe -d 'How devices are probed' -r -f -a "none\t'Not at all'
passive\t'Without opening them: debugfs, the QEMU that runs them, the table of drivers'
active\t'By opening those that are free, which resets them: one of each PF, or with --pf all of it'"
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l pf -d 'Only this PF with all its VFs' -r
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l all -d 'Include devices that no device_spec matches'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l wide -d 'All columns, and a row for each device'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l map -d 'A row for each PF and a letter for each VF: free, used, claimed, mismatch'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l placement -d 'What Nova would report to Placement instead of the devices'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -l strict -d 'Treat warnings as errors'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand inventory" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l instance -d 'Only this guest, repeatable [default: every guest with a PCI or mdev hostdev]' -r
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l request -d 'What the flavor asks for, when the domain does not say' -r
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l pci-requests -d 'What Nova stored when it booted the guest: the text of pci_requests of its row in instance_extra, as it is in the database (JSON), or the same in YAML: - {alias: NAME, count: N, spec: [{vendor_id: …, product_id: …}]}' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l replug -d 'A plain hostdev that is a port: unplug it before the migration and plug one in afterwards; repeatable' -r
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l copy-storage -d 'What migrate --copy-storage would copy, of the one guest named' -r
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l strict -d 'Treat warnings as errors'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -l all -d 'Show passed checks too'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand preflight" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l from -d 'Host it runs on [default: local]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l request -d 'What the flavor asks for, when the domain does not say' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l pci-requests -d 'What Nova stored when it booted the guest: the text of pci_requests of its row in instance_extra, as it is in the database (JSON), or the same in YAML: - {alias: NAME, count: N, spec: [{vendor_id: …, product_id: …}]}' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l replug -d 'A plain hostdev that is a port: unplug it before the migration and plug one in afterwards; repeatable' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l allow -d 'Continue although this check failed or its answer is unknown; all: every check whose answer is unknown; repeatable' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l bypass-owner -d 'Migrate a guest that Nova or another system owns, which will not learn of it: the guest\'s UUID, in full' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l save-plan -d 'Write the plan to FILE, to be reviewed and executed later with --plan, and change nothing' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l plan -d 'Execute this plan exactly, or refuse and say what has changed since. INSTANCE and DST are the plan\'s. Its map goes through every check again, and nothing is done that pvm would not plan by itself; the digest in it guards against accidents only' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l copy-storage -d 'Copy these disks onto empty images of the same path, made before; refused unless both hosts prove them empty' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l max-downtime -d 'Maximum downtime at switchover, like 300ms; auto: as the devices\' state needs, raised while pre-copy does not converge, up to 10 s [default: auto]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l bandwidth -d 'Maximum bandwidth per second, like 100MiB [default: no limit]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l switchover-bandwidth -d 'Bandwidth that QEMU may count on at switchover, where --bandwidth does not apply, like 1GiB [default: what QEMU measures]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l timeout -d 'Abort and undo after this time, like 10m, except during switchover [default: no limit]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l parallel-connections -d 'Number of parallel migration connections' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l dry-run -d 'Print the plan and change nothing'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l no-replug -d 'Do not unplug ports, and refuse a guest with a port that cannot migrate with its state'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l diff -d 'Show what changes in the XML'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l yes -d 'Skip the confirmation prompt'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l strict -d 'Treat warnings as errors'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l require-proof -d 'Fail (exit code 5) when nothing proves that the device state was loaded on the destination'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l direct -d 'Have pvm connect to both hosts, where libvirtd on the source cannot connect to the destination; if pvm is then killed before switchover, the migration is aborted'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -l tls -d 'Encrypt the migration data'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand migrate" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l keep -d 'Which host\'s copy of the guest to keep, where pvm asks for a decision' -r -f -a "src\t'The source\'s'
dst\t'The destination\'s'"
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l auto -d 'Resolve every unfinished migration, but do only what is safe unattended'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l destroy-guest -d 'Keep neither copy: destroy the guest, where pvm asks for a decision'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l abort -d 'Abort the migration if libvirt is still running it and it is not in switchover'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l source-is-dead -d 'The source is powered off or fenced and does not run the guest any more'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -l destination-is-dead -d 'The destination is powered off or fenced and does not run the guest any more'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand recover" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l host -d 'Host it runs on now' -r
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l since -d 'When the migration began, like 2026-11-23T06:24:00Z, or how long ago at the most, like 10m [default: when this machine\'s pvm last moved the guest]' -r
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l sent -d 'Bytes of device state the source sent, when pvm did not make the migration (`vfio_data_transferred` of virsh domjobinfo --completed --rawstats, on the source)' -r
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand verify" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand verify" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand explain" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand explain" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand explain" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand explain" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand explain" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -l since -d 'From when on, like 2026-11-23T06:24:00Z' -r
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand evidence" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand storage" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand storage" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand storage" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand storage" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand storage" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand paths" -l root -d 'File-system root to read: DIR/sys, DIR/proc, DIR/etc/nova, DIR/lib/modules' -r -f -a "(__fish_complete_directories)"
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s o -l output -d 'How to print the result' -r -f -a "table\t'For people'
json\t'One JSON document'
yaml\t'The same document as YAML'
ndjson\t'`migrate` only: one JSON event per line'
prometheus\t'`inventory` only: metrics as a Prometheus text file'"
complete -c pvm -n "__fish_pvm_using_subcommand paths" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c pvm -n "__fish_pvm_using_subcommand paths" -l config -d 'pvm\'s own settings [default: /etc/pvm/pvm.yaml, not required]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s c -l connect -d 'libvirt of the local host [default: LIBVIRT_DEFAULT_URI, else qemu:///system]' -r
complete -c pvm -n "__fish_pvm_using_subcommand paths" -l nova-config -d 'Nova\'s configuration on the hosts, repeatable [default: Nova\'s own search]' -r -F
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s v -l verbose -d 'Print more details'
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s q -l quiet -d 'Print no notes and no progress'
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c pvm -n "__fish_pvm_using_subcommand paths" -s V -l version -d 'Print version'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "check-config" -d 'Validate [pci] device_spec and alias exactly as Nova does, and warn about mistakes Nova silently accepts'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "inventory" -d 'Show devices: whether they are tagged live_migratable, which driver is bound, what probing found'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "preflight" -d 'Check whether guests can migrate from SRC to DST, every reason if not, and which devices they get'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "migrate" -d 'Migrate a running guest to DST'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "recover" -d 'Complete or roll back an interrupted migration'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "verify" -d 'Check that the device state was loaded on the destination'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "explain" -d 'Explain a finding: what it means, how to check by hand, how to fix'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "evidence" -d 'Print what this host has written about a guest'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "storage" -d 'Print what this host knows of disk images'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "paths" -d 'Print what is at paths of this host'
complete -c pvm -n "__fish_pvm_using_subcommand help; and not __fish_seen_subcommand_from check-config inventory preflight migrate recover verify explain evidence storage paths help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
