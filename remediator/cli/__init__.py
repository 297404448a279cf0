"""The door for people: one module a command.

    main          the program: its commands, how errors are told, exit codes
    options       flags that several commands have
    serve         the service
    wiring        what the service is made of, built from Settings
    outside       the cluster that Settings name
    news          what changed in the policy files while it runs
    check         faults in policies, rules and routes; check_files reads them, check_view shows what was found
    plan          what would happen: diff and JSON Patch
    forecast      what would happen, as a value
    explain       why it would happen
    explanation   why, as a value
    situation     what plan and explain look at: alerts, policies and a cluster
    alert_file    the alerts that --alert names
    offline       a cluster that is only files, and is never written
    listing       `list`: the records that there are, as record_filter chooses and record_table shows them
    show          one record: record_view shows it, standing says how its target stands to it
    undo          give back what was taken away; undo_view says how that ended
    rollback      weights, by hand
    stop_mirror   mirrors, by hand
    by_hand       what these two do: plan, show, ask, do; by_hand_view shows it
    pause         stop the whole service, as pausing reads it from the command line
    resume        end that; pause_view shows both
    lookup        records by the names that people type; the cluster that is asked for them
    requester     who asks for something by hand, and why
    test          tests that lie beside policies: test_run finds and runs them, test_view shows how they ended
    schema        the JSON Schema of policy files, and the CRDs of records and pauses
    demo          the service on a sample, shown to a newcomer: demo_run is its course, demo_service the child process,
                  demo_view what is said, sample what it is shown on
    address       an address to serve at, tried before anything is started there
    outlet        standard output that ends in order whatever becomes of it
    render        how things look in a terminal; plan_view and explain_view show the two values

Heavy rooms are imported when a command runs, so that `--help` is quick.
"""
