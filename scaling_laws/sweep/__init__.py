"""Sweeps: plan what to run, run it on this machine, check the learning rates.

plan     which runs, pure and free of JAX          pace       how long they will take
rates    which learning rates to add               show       a plan as text
execute  all cores, one writer, restartable        waiting, pool, worker, messages, meter: its parts
study    all of it from a configuration            machine    cores, accelerators, cache folders
"""
