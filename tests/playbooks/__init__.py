"""The playbooks, run by the real Ansible."""
