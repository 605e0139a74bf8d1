#!/usr/bin/python3
"""hardware-inventory with a machine made of files, with and without the tools that know more."""

import json
import os

import harness

GROUP = "hardware-inventory.jumphost"
TITLES = (
    "the system is",
    "the firmware is",
    "the processors are",
    "the memory is",
    "the PCI devices are",
    "the disks are",
    "the network interfaces are",
)
NIC, BRIDGE = "0000:3b:00.0", "0000:00:00.0"

DMIDECODE = """# dmidecode 3.4
Getting SMBIOS data from sysfs.

Handle 0x0000, DMI type 0, 26 bytes
BIOS Information
\tVendor: Acme Firmware
\tVersion: 2.1.0
\tRelease Date: 06/01/2026

Handle 0x0001, DMI type 1, 27 bytes
System Information
\tManufacturer: Acme
\tProduct Name: Rack 1000
\tSerial Number: SN-1

Handle 0x0010, DMI type 17, 92 bytes
Memory Device
\tSize: 32 GB
\tLocator: A1
\tBank Locator: Bank 0
\tType: DDR5
\tSpeed: 4800 MT/s
\tManufacturer: Dram Co
\tSerial Number: 1111
\tPart Number: D32

Handle 0x0011, DMI type 17, 92 bytes
Memory Device
\tSize: 32768 MB
\tLocator: A2
\tBank Locator: Bank 0
\tType: DDR5
\tSpeed: 4800 MT/s
\tManufacturer: Dram Co
\tSerial Number: 2222
\tPart Number: D32

Handle 0x0012, DMI type 17, 92 bytes
Memory Device
\tSize: No Module Installed
\tLocator: B1
"""
LSPCI = f"""Slot:\t{BRIDGE}
Class:\tHost bridge [0600]
Vendor:\tIntel Corporation [8086]
Device:\tSky Lake [2020]

Slot:\t{NIC}
Class:\tEthernet controller [0200]
Vendor:\tIntel Corporation [8086]
Device:\tEthernet 10G [1572]
"""
LSHW = json.dumps(
    [
        {
            "id": "lab",
            "class": "system",
            "children": [
                {
                    "id": "core",
                    "class": "bus",
                    "children": [
                        {
                            "id": "memory",
                            "class": "memory",
                            "children": [
                                {
                                    "id": "bank:0",
                                    "class": "memory",
                                    "slot": "A1",
                                    "size": 32 * 2**30,
                                    "vendor": "Dram Co",
                                    "product": "D32",
                                    "serial": "1111",
                                },
                                {"id": "bank:1", "class": "memory", "slot": "A2", "description": "[empty]"},
                            ],
                        },
                        {"id": "disk", "class": "disk", "serial": "DISK-1", "version": "FW7", "product": "Fast SSD"},
                    ],
                }
            ],
        }
    ]
)


class HardwareInventory(harness.PluginTest):
    plugin = "hardware-inventory"

    def setUp(self):
        super().setUp()
        # The hook reads below /: below the test's directory instead.
        self.command(
            "sh",
            f"""script=$(printf '%s' "$2" | sed "1s,^cd /,cd '{self.path('machine')}',")\nexec /bin/sh -c "$script" """,
        )
        for tool in ("dmidecode", "lspci", "lshw"):
            self.without(tool)
        self.machine()

    def without(self, tool):
        self.command(tool, f"echo '{tool} is not what this test is about' >&2; exit 1")

    def tool(self, name, output):
        self.write(f"{name}.output", output)
        self.command(name, f"cat '{self.path(name + '.output')}'")

    def put(self, path, value):
        return self.write(f"machine/{path}", f"{value}\n")

    def machine(self):
        dmi = {
            "sys_vendor": "Acme",
            "product_name": "Rack 1000",
            "product_serial": "SN-1",
            "board_vendor": "Acme",
            "board_name": "Board",
            "board_serial": "To be filled by O.E.M.",
            "bios_vendor": "Acme Firmware",
            "bios_version": "2.1.0",
            "bios_date": "06/01/2026",
        }
        for name, value in dmi.items():
            self.put(f"sys/class/dmi/id/{name}", value)
        self.put(
            "proc/cpuinfo",
            "\n\n".join(
                f"processor\t: {number}\nmodel name\t: Acme CPU @ 2.00GHz\nphysical id\t: {number // 2}"
                for number in range(4)
            ),
        )
        for number in range(4):
            self.put(f"sys/devices/system/cpu/cpu{number}/topology/core_id", number % 2)
        self.put("proc/meminfo", "MemTotal:       65000000 kB\nMemFree: 1 kB")
        self.put("sys/devices/system/memory/block_size_bytes", "80000000")
        for number in range(32):
            self.put(f"sys/devices/system/memory/memory{number}/online", 1)
        for address, (kind, device) in {BRIDGE: ("0x060000", "0x2020"), NIC: ("0x020000", "0x1572")}.items():
            for name, value in {
                "class": kind,
                "vendor": "0x8086",
                "device": device,
                "revision": "0x04",
                "subsystem_vendor": "0x1028",
                "subsystem_device": "0x0001",
            }.items():
                self.put(f"sys/bus/pci/devices/{address}/{name}", value)
        self.disk("sda", "DISK-1")
        self.put("sys/block/loop0/size", 8)
        self.interface("eth0", NIC, "AA:BB:CC:00:00:01")
        self.put("sys/class/net/lo/address", "00:00:00:00:00:00")

    def disk(self, name, serial, size=2**31):
        for path, value in {"size": size, "queue/rotational": 0, "removable": 0}.items():
            self.put(f"sys/block/{name}/{path}", value)
        for path, value in {"model": "Fast SSD", "vendor": "ATA     ", "serial": serial}.items():
            self.put(f"sys/devices/pci0000:00/{name}/{path}", value)
        os.symlink(self.path("machine/sys/devices/pci0000:00", name), self.path(f"machine/sys/block/{name}/device"))

    def interface(self, name, address, mac):
        self.put(f"sys/class/net/{name}/address", mac)
        self.put(f"sys/class/net/{name}/addr_assign_type", 0)
        os.symlink(self.path("machine/sys/bus/pci/devices", address), self.path(f"machine/sys/class/net/{name}/device"))

    def take(self, config=None, status=0, **changed):
        ended = self.hook("pre-run", config, **changed)
        self.assertEqual((ended.status, ended.of_kind("error")), (status, set()), ended.output)
        return ended

    def inventory(self):
        return json.loads(self.read("artifacts", "hardware-jumphost.json"))

    def remove(self, *path):
        harness.shutil.rmtree(self.path("machine", *path))

    def test_the_inventory_of_sysfs_alone(self):
        ended = self.take()
        self.assertEqual(ended.of_kind("skipped"), {f"{GROUP}: {title} as in the last job" for title in TITLES})
        self.assertIn("without lshw", ended.output)
        self.assertEqual(
            self.inventory(),
            {
                "format": 1,
                "machine": "jumphost",
                "sources": ["sysfs"],
                "system": {
                    "system": {"vendor": "Acme", "product": "Rack 1000", "serial": "SN-1", "board": "Acme Board"}
                },
                "firmware": {"firmware": {"vendor": "Acme Firmware", "version": "2.1.0", "date": "06/01/2026"}},
                "processors": {
                    f"processor {number}": {"model": "Acme CPU @ 2.00GHz", "cores": 2, "threads": 2}
                    for number in (0, 1)
                },
                "memory": {"total": {"size_mib": 65536}},
                "pci": {
                    address: {"pci_class": kind, "device": device, "revision": "04", "subsystem": "1028:0001"}
                    for address, kind, device in ((BRIDGE, "0600", "8086:2020"), (NIC, "0200", "8086:1572"))
                },
                "disks": {"DISK-1": {"model": "ATA Fast SSD", "size_bytes": 2**40, "kind": "solid"}},
                "network": {NIC: {"mac": "aa:bb:cc:00:00:01"}},
            },
        )

    def test_what_the_tools_know_is_added(self):
        self.tool("dmidecode", DMIDECODE)
        self.tool("lspci", LSPCI)
        self.tool("lshw", LSHW)
        self.take()
        found = self.inventory()
        self.assertEqual(found["sources"], ["sysfs", "dmidecode", "lspci", "lshw"])
        module = {"size_mib": 32768, "kind": "DDR5", "speed": "4800 MT/s", "vendor": "Dram Co", "part": "D32"}
        self.assertEqual(
            found["memory"],
            {
                "total": {"size_mib": 65536},
                "Bank 0 A1": {**module, "serial": "1111"},
                "Bank 0 A2": {**module, "serial": "2222"},
            },
        )
        self.assertEqual(found["pci"][NIC]["name"], "Intel Corporation Ethernet 10G")
        self.assertEqual(found["disks"]["DISK-1"]["firmware"], "FW7")
        self.assertEqual(self.read("artifacts", "lshw-jumphost.txt"), LSHW)

    def test_lshw_stands_in_for_dmidecode(self):
        self.tool("lshw", LSHW)
        self.take()
        self.assertEqual(
            self.inventory()["memory"]["A1"], {"size_mib": 32768, "vendor": "Dram Co", "part": "D32", "serial": "1111"}
        )

    def test_the_same_machine_passes(self):
        self.take()
        ended = self.take()
        self.assertEqual(ended.of_kind("passed"), {f"{GROUP}: {title} as in the last job" for title in TITLES})
        self.assertEqual(self.read("artifacts", "hardware-jumphost.diff"), "no difference\n")

    def test_a_tool_that_comes_or_goes_makes_no_difference(self):
        self.take()
        self.tool("dmidecode", DMIDECODE)
        self.tool("lspci", LSPCI)
        self.tool("lshw", LSHW)
        self.assertEqual(len(self.take().of_kind("passed")), len(TITLES))
        for tool in ("dmidecode", "lspci", "lshw"):
            self.without(tool)
        self.assertEqual(len(self.take().of_kind("passed")), len(TITLES))
        self.assertEqual(self.read("artifacts", "hardware-jumphost.diff"), "no difference\n")

    def test_each_loss_is_an_error_of_the_lab_until_it_is_back_or_accepted(self):
        def lose_disk():
            self.remove("sys/block/sda")

        def lose_card():
            self.remove("sys/bus/pci/devices", NIC)

        def lose_interface():
            self.remove("sys/class/net/eth0")

        def lose_memory():
            self.remove("sys/devices/system/memory/memory31")

        def lose_processor():
            self.put("proc/cpuinfo", "processor : 0\nmodel name : Acme CPU @ 2.00GHz\nphysical id : 0")

        losses = {
            lose_disk: ("the disks are", "DISK-1 (ATA Fast SSD) is gone"),
            lose_card: ("the PCI devices are", f"{NIC} is gone"),
            lose_interface: ("the network interfaces are", "is gone"),
            lose_memory: ("the memory is", "size_mib was 65536, is 63488"),
            lose_processor: ("the processors are", "processor 1 (Acme CPU @ 2.00GHz) is gone"),
        }
        for lose, (title, text) in losses.items():
            with self.subTest(lose.__name__):
                harness.shutil.rmtree(self.path("machine"))
                self.machine()
                self.take()
                lose()
                for _ in range(2):  # It stays one.
                    ended = self.take(status=77)
                    case = f"{GROUP}: {title} as in the last job"
                    self.assertIn(case, ended.failed)
                    self.assertIn(text, ended.message(case))
                    self.assertIn("see the failed cases", ended.output)
                    self.assertIn(text, self.read("artifacts", "hardware-jumphost.diff"))
                reference = self.path("history", "outpost", "hardware-inventory", "jumphost.json")
                self.assertIn(reference, ended.message(case))
                os.unlink(reference)
                self.take()

    def test_a_module_that_is_gone_is_named(self):
        self.tool("dmidecode", DMIDECODE)
        self.take()
        self.tool("dmidecode", DMIDECODE.replace("Size: 32768 MB", "Size: No Module Installed"))
        message = self.take(status=77).message(f"{GROUP}: the memory is as in the last job")
        self.assertIn("memory Bank 0 A2 is gone: it was DDR5, D32, 2222, 32768, 4800 MT/s, Dram Co", message)

    def test_what_is_new_or_changed_is_reported_and_fails_only_on_request(self):
        self.take()
        self.disk("sdb", "DISK-2")
        self.put("sys/class/dmi/id/bios_version", "2.2.0")
        ended = self.take()
        self.assertEqual(ended.failed, set())
        diff = self.read("artifacts", "hardware-jumphost.diff")
        self.assertIn("disk DISK-2 (ATA Fast SSD) is new", diff)
        self.assertIn("version was 2.1.0, is 2.2.0", diff)
        self.disk("sdc", "DISK-3")
        self.put("sys/class/dmi/id/bios_version", "2.3.0")
        ended = self.take({"fail_on": ["changed"]}, status=77)
        self.assertEqual(ended.failed, {f"{GROUP}: the firmware is as in the last job"})
        ended = self.take({"fail_on": ["new"]}, status=77)
        self.assertEqual(ended.failed, {f"{GROUP}: the disks are as in the last job"})
        self.take({"fail_on": ["new"], "ignore": ["DISK-3"]})

    def test_names_of_disks_and_interfaces_do_not_count(self):
        self.take()
        os.rename(self.path("machine/sys/block/sda"), self.path("machine/sys/block/sdq"))
        os.rename(self.path("machine/sys/class/net/eth0"), self.path("machine/sys/class/net/ens1"))
        self.assertEqual(len(self.take().of_kind("passed")), len(TITLES))

    def test_an_inventory_that_was_cut_off_counts_as_none(self):
        self.write("history/outpost/hardware-inventory/jumphost.json", '{"format": 1, "disks')
        self.assertEqual(len(self.take().of_kind("skipped")), len(TITLES))
        self.assertEqual(len(self.take().of_kind("passed")), len(TITLES))

    def test_a_history_of_its_own(self):
        self.take({"history": self.path("elsewhere")})
        self.assertEqual(os.listdir(self.path("elsewhere")), ["jumphost.json"])
        ended = self.take({"history": "/proc/nothing"}, status=78)
        self.assertIn("configure history", ended.output)

    def test_each_host_has_its_own(self):
        self.ssh_stands_in()
        # Over ssh the shell is the host's own, and what it reads is this machine.
        resources = '{"rack": {"hosts": ["10.0.0.1", "fe80::1"]}}'
        ended = self.take(OUTPOST_RESOURCES=resources)
        self.assertEqual(len(ended.cases), 2 * len(TITLES))
        self.assertEqual(
            sorted(os.listdir(self.path("history", "outpost", "hardware-inventory"))), ["10.0.0.1.json", "fe80__1.json"]
        )

    def test_a_wrong_setting_is_a_usage_error(self):
        self.assertIn("known are lost, new, changed", self.take({"fail_on": ["gone"]}, status=64).output)


class RealMachine(harness.PluginTest):
    plugin = "hardware-inventory"

    def test_this_machine_is_the_same_twice(self):
        first = self.hook("pre-run")
        self.assertEqual(first.status, 0, first.output)
        second = self.hook("pre-run")
        self.assertEqual((second.status, second.of_kind("passed")), (0, set(second.cases)), second.output)
        found = json.loads(self.read("artifacts", "hardware-jumphost.json"))
        self.assertTrue(found["processors"] and found["memory"], found)


if __name__ == "__main__":
    harness.main()
