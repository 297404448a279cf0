"""Whether a patch did what it was made for: pure. From what Prometheus counted to a verdict.

model      the verdict and its figures, as a record keeps them
schedule   when is asked, and about which spans of time
queries    what is asked, in PromQL
reading    an answer → how many requests each version had and failed
routes     what a routing object sends to a suspect yet, where its driver has to take it away
judging    requests before and after → figures → verdict
steps      verdict so far, and what was answered → the next one, or none yet
"""
