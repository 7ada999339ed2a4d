"""An onboarding carried out: the fleet's part that is asked, the merge rehearsed, playbooks run.

    with rehearsing...      `audit.onboarding.rehearsing.rehearse`: a merge into a scratch tag, verified, removed
    applying.Ansible        the playbooks, shown first and then run

What it all means is `audit.onboard`'s; which host key is believed is the command's.
"""
