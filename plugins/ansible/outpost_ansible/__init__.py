"""What outpost-ansible consists of. Only the standard library is used: on RHEL this is not the interpreter of Ansible."""
