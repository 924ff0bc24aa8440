"""What happens to a message. Read in this order:

`model` (the values that flow), `ports` (what the core asks of the world), `errors`, then the way of a message:
`intake` (accept it: mask, commit, wake) → `lanes` (work in order, one worker at a time) → `pipeline` (the six steps on
one page) with `routing` (which incident it belongs to, and what it does there) and `replies` (doing that) → `files`
(fetch what came with it) → `outbox` (send what we owe; `pacing` how fast, `reach` where) → `follow_ups` (a day later).
`life` has the changes of an incident's life, `board` shows them to agents, `commands` what people may do, `own` what
customers may, `policy` what the house has decided, `wording` every sentence. `app` joins everything; `__main__` is the
command line.
"""
