"""The edge under load, beside what else could answer in its place.

    python -m bench.edge [--quick]

One core for the server, one for the load generator, everything on loopback and in turn within one
run, since absolute figures drift with the machine and ratios hardly do.

    traffic   what is asked for: real tokens of a newsletter's opens and clicks
    servers   who is asked: ours, a bare uvicorn, nginx, pytracking2 under gunicorn
    wrk       how fast they can answer (closed loop)
    steady    how long they take at a fixed rate (open loop)
    process   what it cost: CPU time, memory, and what else the machine was doing
    report    the tables and the goals
"""
