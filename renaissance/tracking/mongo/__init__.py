"""A run's record in MongoDB, as Sacred's observer writes it and Omniboard reads it; no run waits for a server.

    run ─► recorder ─► record + journal (the run's folder) ─► courier (a thread) ─► sender ─► MongoDB

`record.py` is what is known of a run. `journal.py` keeps it in the run's folder, so that it can be made again from
there. `sender.py` brings a server to what the record says, and may be asked to do so at any time and any number of
times. `courier.py` does so while the run goes on, `syncing.py` (the command `sync`) when it is over.
"""
