"""The attacks, and for each the layers that stop it: README.md shows this table, and a test compares the two.

A layer is a step of the cage's list by its name, or a property of the world that the node makes around a sandbox.
Where all layers are steps, the attack runs once more in a sandbox without them; otherwise as a plain process in
namespaces that the test throws away. There it has to succeed.
"""

import dataclasses
import os

FILTER = "filter system calls"

# What is no step of the list: of the tree, the namespaces, the mounts, and of how a sandbox comes to be.
TREE = "own root"
READ_ONLY = "read-only mounts"
NOSUID = "nosuid mounts"
PIDS = "PID namespace"
IPC = "IPC namespace"
NETWORK = "network namespace"
MACHINE = "user namespace"
ZYGOTE = "functions unknown to the zygote"
TMP_SIZE = "size of /tmp"
NODE = "frames as the node reads them"

OF_THE_WORLD = {TREE, READ_ONLY, NOSUID, PIDS, IPC, NETWORK, MACHINE, ZYGOTE, TMP_SIZE, NODE}

DROPPED = ("drop all capabilities",)
ROOT = ("drop the bounding set", "lock the securebits", "become the sandbox's user", *DROPPED, "forbid new privileges",
        FILTER)
USER_NAMESPACES = ("forbid user namespaces", FILTER)

# Version 2 counts the memory of sockets with the rest, and a sandbox is born in its cgroup: there is no step.
CGROUP_V1 = os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes")
CGROUPS = "join the cgroups"


@dataclasses.dataclass(frozen=True)
class Attack:
    name: str
    layers: tuple
    event: dict = dataclasses.field(default_factory=dict)  # what it is told besides
    needs_kernel: bool = False  # it needs what not every kernel has: where plain processes fail, nothing is shown

    @property
    def is_weak(self):
        """Whether a sandbox without steps can show it."""
        return not set(self.layers) & (OF_THE_WORLD if CGROUP_V1 else {*OF_THE_WORLD, CGROUPS})


ATTACKS = [
    Attack("files.chroot", (*DROPPED, FILTER)),
    Attack("files.pivot_root", (*DROPPED, FILTER)),
    Attack("files.climb", ("keep six descriptors",)),
    Attack("files.mount_old", (*DROPPED, FILTER)),
    Attack("files.mount_new", (*DROPPED, FILTER)),
    Attack("files.unmount", (*DROPPED, FILTER)),
    Attack("files.remount", (MACHINE, *DROPPED, FILTER)),
    Attack("files.write", (READ_ONLY,)),
    Attack("files.device", (MACHINE, *DROPPED)),
    Attack("files.kernel_files", ("become the sandbox's user", *DROPPED)),
    Attack("files.sys_tree", (TREE,)),
    Attack("files.host_files", (TREE,)),
    Attack("files.host_program", (MACHINE, *DROPPED)),
    Attack("files.sync_all", (FILTER,)),
    Attack("files.search", (TREE, PIDS, ZYGOTE)),
    Attack("files.watches", ("forbid file watches", FILTER)),
    Attack("files.directory_notes", (FILTER,)),
    Attack("files.lease", (MACHINE, *DROPPED)),
    Attack("processes.listing", ("mount /proc",)),
    Attack("processes.signals", (PIDS,)),
    Attack("processes.process_group", ("leave the process group",)),
    Attack("processes.pidfds", (PIDS,)),
    Attack("processes.trace", (PIDS,)),
    Attack("processes.read_memory", (PIDS,)),
    Attack("processes.doors", (PIDS,)),
    Attack("processes.shared_memory", (IPC,)),
    Attack("privileges.become_root", ("become the sandbox's user", *DROPPED)),
    Attack("privileges.capabilities", DROPPED),
    Attack("privileges.exec_as_root", ROOT),
    Attack("privileges.file_capabilities", DROPPED),
    Attack("privileges.setuid_file", (NOSUID, MACHINE, "forbid new privileges")),
    Attack("privileges.new_user_namespace", USER_NAMESPACES),
    Attack("privileges.new_namespaces", (*DROPPED, FILTER)),
    Attack("privileges.join_namespaces", (*DROPPED, FILTER)),
    Attack("privileges.no_new_privileges", ("forbid new privileges", FILTER)),
    Attack("privileges.securebits", ("lock the securebits",)),
    Attack("privileges.bounding_set", ("drop the bounding set",)),
    Attack("privileges.host_name", (*DROPPED, FILTER)),
    Attack("privileges.name_of_the_machine", ("set the host name",)),
    Attack("privileges.keys", ("take a keyring of its own", FILTER)),
    Attack("privileges.descriptors", ("keep six descriptors",)),
    Attack("privileges.priority", (MACHINE, *DROPPED)),
    Attack("privileges.resources", ("set resource limits",)),
    Attack("privileges.file_size", ("limit file sizes",)),
    Attack("privileges.cgroup_names", ("make a cgroup namespace",)),
    Attack("network.ports", (NETWORK,)),
    Attack("network.outside", (NETWORK,)),
    Attack("network.abstract", (NETWORK,)),
    Attack("network.raw", (MACHINE, *DROPPED)),
    Attack("network.vsock", (FILTER,)),
    Attack("network.families", (FILTER,)),
    Attack("network.netlink", (MACHINE, *DROPPED)),
    Attack("network.interfaces", (NETWORK,)),
    Attack("calls.table", (FILTER,)),
    Attack("calls.other_architectures", (FILTER,), needs_kernel=True),
    Attack("bombs.processes", (CGROUPS, "limit the processes"), {"count": 400}),
    Attack("bombs.memory", (CGROUPS,), {"mib": 200}),
    Attack("bombs.sockets", (CGROUPS,), {"kind": "tcp", "mib": 200}),
    Attack("bombs.files", (CGROUPS,), {"mib": 200}),
    Attack("bombs.inodes", (TMP_SIZE, CGROUPS), {"count": 70_000}),
    Attack("bombs.frames", (NODE,), {"mib": 256, "garbage": "ff" * 10}),
]

# Steps that an attack cannot tell from their absence: what they do serves the handler, or the node's speed.
NO_DEFENCE = {"mount /tmp", "enlarge /tmp", "mount the bundle", "enter the bundle", "own the files in /proc",
              "give way to the node", "make /tmp", "raise the loopback", "keep the set-up socket alone"}

# In sandboxes that are copies of a template, besides all of the above: test_copies.py.
TEMPLATE_ATTACKS = [
    Attack("template.namespaces_while_loading", ("filter a template's system calls",)),
    Attack("template.rights_of_a_template", ("filter entries",)),
]
