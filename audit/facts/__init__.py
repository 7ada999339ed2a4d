"""One file a fact; `audit.fact` lists this folder.

Files that begin with an underscore are what facts share: `_probes_machine` and `_probes_docker` are everything that is
run on a worker, `_sh` the shell and awk in it; `_read` takes values out of answers by type; `_docker`, `_daemon`,
`_settings`, `_packages` read answers that several facts look at; `_applied` holds daemon.json against the engine;
`_store_rule` is dockerd's own rule for its image store, by version.
"""
