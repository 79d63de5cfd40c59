/*
 * command_list -- the commands of cvx, one row each. This is the only list of
 * them: command.h makes the declarations of their functions of it, main.c the
 * table that matching, argument checks, `cvx help` and the completions read.
 *
 * It is included several times, each time with another meaning of
 * COMMAND(name, args, summary, flags, min, max, function, details): the fields
 * of struct command. `flags` is a table of main.c.
 */
/* clang-format off */

COMMAND("start", "[SERVICE...]", "start the app of this directory",
        start_flags, 0, -1, cmd_start,
        "SERVICE arguments choose whose log lines are shown; everything is\n"
        "started all the same.\n"
        "Ctrl-C stops the app and removes everything. A second one does not\n"
        "wait for services to end, a third one leaves at once.\n"
        "Exit status: 0 after a Ctrl-C when all was ready, else 130; with\n"
        "--exit-on-failure that of the service; 1 when the start failed.")
COMMAND("stop", "", "stop a running app and remove its containers",
        app_flags, 0, 0, cmd_stop, NULL)
COMMAND("down", "", "stop an app; with --data also delete its kept data",
        down_flags, 0, 0, cmd_down, NULL)
COMMAND("ps", "", "list the processes of the app",
        app_flags, 0, 0, cmd_ps, NULL)
COMMAND("logs", "", "print log lines of the app",
        logs_flags, 0, 0, cmd_logs, NULL)
COMMAND("services", "", "list the services of the app",
        app_flags, 0, 0, cmd_services, NULL)
COMMAND("resources", "", "list the resources of the app",
        app_flags, 0, 0, cmd_resources, NULL)
COMMAND("resources info", "NAME", "show one resource",
        app_flags, 1, 1, cmd_resources_info, NULL)
COMMAND("resources url", "NAME",
        "print the URL of a resource, as this machine reaches it",
        app_flags, 1, 1, cmd_resources_url, NULL)
COMMAND("resources reset", "NAME",
        "delete the data that --keep-data kept of a resource",
        app_flags, 1, 1, cmd_resources_reset, NULL)
COMMAND("env", "", "list the app's environment",
        app_flags, 0, 0, cmd_env, NULL)
COMMAND("env get", "KEY", "print one value",
        app_flags, 1, 1, cmd_env_get, NULL)
COMMAND("env set", "KEY=VALUE...", "set values",
        env_set_flags, 0, -1, cmd_env_set,
        "Without arguments, KEY=VALUE lines are read from stdin.")
COMMAND("env unset", "KEY...", "remove values",
        env_unset_flags, 1, -1, cmd_env_unset, NULL)
COMMAND("validate", "", "check convox.yml and the environment",
        validate_flags, 0, 0, cmd_validate,
        "Exit status: 0 when there is no error, else 1.")
COMMAND("plan", "", "print what a start would create",
        plan_flags, 0, 0, cmd_plan, NULL)
COMMAND("timings", "", "show what the last start of the app spent its time on",
        timings_flags, 0, 0, cmd_timings,
        "A star marks the critical path: what the start was waiting for.\n"
        "USUAL is the median of former starts with the same containers.")
COMMAND("doctor", "", "check the engine and this machine",
        json_flags, 0, 0, cmd_doctor, NULL)
COMMAND("sweep", "", "remove what your dead racks left on the engine",
        sweep_flags, 0, 0, cmd_sweep,
        "A rack is dead when its process does not run any more. Nothing of\n"
        "another user, another machine or a living rack is touched, and kept\n"
        "data stays.")
COMMAND("templates", "", "list the templates of databases",
        templates_flags, 0, 0, cmd_templates,
        "A template is a copy-on-write image of an initialised data\n"
        "directory. It is made in the background after the first start of a\n"
        "database, and later starts begin from it. CVX_TEMPLATES_MB in\n"
        "rackd's environment limits the disk that templates take (default\n"
        "4096; 0: none); those not used for longest are removed first.")
COMMAND("templates build", "",
        "make the templates of this app before its first start",
        plan_flags, 0, 0, cmd_templates_build, NULL)
COMMAND("templates prune", "", "remove all templates of this rack",
        templates_prune_flags, 0, 0, cmd_templates_prune, NULL)
COMMAND("rackd status", "", "show the daemon: its version, memory and sessions",
        json_flags, 0, 0, cmd_rackd_status, NULL)
COMMAND("rackd stop", "", "stop every session, then the daemon",
        NULL, 0, 0, cmd_rackd_stop, NULL)
COMMAND("version", "", "print the versions of cvx and rackd",
        json_flags, 0, 0, cmd_version, NULL)
COMMAND("completion", "SHELL", "print completions for bash, zsh or fish",
        NULL, 1, 1, cmd_completion, NULL)
COMMAND("help", "[COMMAND]", "print the help of a command",
        NULL, 0, -1, cmd_help, NULL)

/* clang-format on */
