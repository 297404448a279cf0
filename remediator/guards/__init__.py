"""Pure: may what is planned be done? Each guard says yes, or no with a reason, and every one of them is asked.

verdict      what a guard says
situation    what the guards judge by
judging      all of them, in the order in which a no is told first

One module a guard, and one section each in docs/guards.md:

pause                 a person has paused the service
switch                the annotation remediator.io/mode, and --opt-in
namespaces            where the policy may act
lever                 another program would put a patch back at once
freeze                when it may not
suspect_is_stable     the accused version is the one to fall back on
stable_also_failing   whoever would get the traffic is accused as well
stable_ready          whoever would get it has too few ready endpoints
alert_age             the alert began too long ago
evidence              the routes were changed since it began
max_targets           too many objects for one alert
cooldown              the object was changed a moment ago
budget                the whole fleet was changed too often
unsafe_plan           the last look at the patched object
"""
