"""The hardware of a machine in one form, whatever tools are there: sysfs first, then dmidecode, lspci and lshw.

Left out is what changes by itself: names of disks and interfaces, drivers, frequencies, states of links.
"""

import json
import os
import re

from checks import say

# Prints the name of every file, NUL and its content, then `LINK=>TARGET` of every link; names relative to the root.
READ_SYSFS = r"""cd / || exit 1
grep -sHZ '' sys/class/dmi/id/[!mu]* sys/devices/system/cpu/cpu[0-9]*/topology/*_id \
  sys/devices/system/memory/block_size_bytes sys/devices/system/memory/memory*/online \
  sys/bus/pci/devices/*/class sys/bus/pci/devices/*/vendor sys/bus/pci/devices/*/device sys/bus/pci/devices/*/revision \
  sys/bus/pci/devices/*/subsystem_vendor sys/bus/pci/devices/*/subsystem_device \
  sys/class/net/*/address sys/class/net/*/addr_assign_type sys/class/net/*/dev_port \
  sys/class/net/*/bonding_slave/perm_hwaddr \
  sys/block/*/size sys/block/*/serial sys/block/*/wwid sys/block/*/queue/rotational sys/block/*/removable \
  sys/block/*/device/model sys/block/*/device/serial sys/block/*/device/wwid sys/block/*/device/vendor \
  sys/block/*/device/rev sys/block/*/device/firmware_rev sys/block/*/device/name sys/block/*/device/cid
for link in sys/class/net/*/device sys/block/*/device; do
  [ ! -L "$link" ] || echo "$link=>$(readlink -f "$link")"
done
grep -E '^(processor|model name|physical id|cpu cores|microcode)' proc/cpuinfo | sed 's/^/proc\/cpuinfo:/'
sed -n 's/^MemTotal/proc\/meminfo:MemTotal/p' proc/meminfo
"""
PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
NO_DISKS = re.compile(r"(loop|ram|zram|dm-|md|nbd|sr|fd|rbd|drbd|nullb)\d*")
NOTHING = {
    "",
    "none",
    "unknown",
    "not specified",
    "not provided",
    "no dimm",
    "default string",
    "to be filled by o.e.m.",
    "system serial number",
    "n/a",
    "[empty]",
    "0x0000",
}


def said(value):
    """A value that a vendor filled in; empty when it did not."""
    value = " ".join((value or "").split())
    return "" if value.lower() in NOTHING else value


def filled(**fields):
    return {name: value for name, value in fields.items() if value not in ("", None)}


class Sysfs:
    def __init__(self, text):
        self.files, self.links, self.processors, self.memory = {}, {}, [], 0
        for line in text.splitlines():
            path, file, value = line.partition("\0")
            if file:
                self.files.setdefault(path, value.strip())
            elif line.startswith("proc/cpuinfo:"):
                self.add_processor(line.partition(":")[2])
            elif line.startswith("proc/meminfo:"):
                self.memory = int(re.sub(r"\D", "", line)) // 1024
            elif "=>" in line:
                link, _, target = line.partition("=>")
                self.links[link] = target

    def add_processor(self, line):
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "processor":
            self.processors.append({})
        if self.processors:
            self.processors[-1][name] = value

    def get(self, *path):
        return self.files.get("/".join(("sys", *path)), "")

    def below(self, *path):
        """The names in a directory."""
        prefix = "/".join(("sys", *path)) + "/"
        return sorted(
            {name[len(prefix) :].split("/")[0] for name in (*self.files, *self.links) if name.startswith(prefix)}
        )


def system_of(sysfs):
    field = lambda name: said(sysfs.get("class/dmi/id", name))
    fields = filled(
        vendor=field("sys_vendor"),
        product=field("product_name"),
        serial=field("product_serial"),
        board=" ".join(filter(None, (field("board_vendor"), field("board_name")))),
        board_serial=field("board_serial"),
    )
    return {"system": fields} if fields else {}


def firmware_of(sysfs):
    field = lambda name: said(sysfs.get("class/dmi/id", name))
    fields = filled(
        vendor=field("bios_vendor"),
        version=field("bios_version"),
        date=field("bios_date"),
        release=field("bios_release"),
    )
    return {"firmware": fields} if fields else {}


def processors_of(sysfs):
    packages = {}
    for number, each in enumerate(sysfs.processors):
        place = sysfs.get("devices/system/cpu", f"cpu{each.get('processor', number)}", "topology/physical_package_id")
        package = packages.setdefault(
            each.get("physical id") or place or "0", {"model": "", "threads": 0, "cores": set()}
        )
        package["model"] = each.get("model name", package["model"])
        package["threads"] += 1
        package["cores"].add(
            sysfs.get("devices/system/cpu", f"cpu{each.get('processor', number)}", "topology/core_id") or number
        )
    return {
        f"processor {name}": filled(model=package["model"], cores=len(package["cores"]), threads=package["threads"])
        for name, package in packages.items()
    }


def memory_of(sysfs):
    """The memory as a whole; the modules are known to dmidecode and lshw only."""
    size = sysfs.get("devices/system/memory/block_size_bytes")
    blocks = [name for name in sysfs.below("devices/system/memory") if re.fullmatch(r"memory\d+", name)]
    if size and blocks:
        return {"total": {"size_mib": len(blocks) * int(size, 16) // 2**20}}
    # What the kernel leaves differs by some MiB from version to version.
    return {"total": {"size_mib": -(-sysfs.memory // 256) * 256}} if sysfs.memory else {}


def pci_of(sysfs):
    devices = {}
    for address in sysfs.below("bus/pci/devices"):
        field = lambda name: sysfs.get("bus/pci/devices", address, name).replace("0x", "")
        devices[address] = filled(
            pci_class=field("class")[:4],
            device=f"{field('vendor')}:{field('device')}",
            revision=field("revision"),
            subsystem=f"{field('subsystem_vendor')}:{field('subsystem_device')}".strip(":"),
        )
    return devices


def disks_of(sysfs):
    disks = {}
    for name in sysfs.below("block"):
        field = lambda path: said(sysfs.get("block", name, path))
        if NO_DISKS.fullmatch(name) or f"sys/block/{name}/device" not in sysfs.links or field("removable") == "1":
            continue
        serial = (
            field("device/serial") or field("serial") or field("device/wwid") or field("wwid") or field("device/cid")
        )
        vendor = "" if field("device/vendor").startswith("0x") else field("device/vendor")  # A number is the bus's.
        model = " ".join(filter(None, (vendor, field("device/model") or field("device/name"))))
        disks[serial or name] = filled(
            model=model,
            size_bytes=int(sysfs.get("block", name, "size") or 0) * 512,
            firmware=field("device/firmware_rev") or field("device/rev"),
            kind="rotating" if sysfs.get("block", name, "queue/rotational") == "1" else "solid",
        )
    return disks


def network_of(sysfs):
    interfaces = {}
    for name in sysfs.below("class/net"):
        target = sysfs.links.get(f"sys/class/net/{name}/device")
        if target is None:  # Bridges, bonds, tunnels.
            continue
        field = lambda path: sysfs.get("class/net", name, path)
        places = PCI_ADDRESS.findall(target)
        port = field("dev_port")
        place = (places[-1] if places else os.path.basename(target)) + (
            f" port {port}" if port not in ("", "0") else ""
        )
        permanent = field("bonding_slave/perm_hwaddr") or (
            field("address") if field("addr_assign_type") in ("", "0") else ""
        )
        interfaces[place] = filled(mac=permanent.lower())
    return interfaces


# ---- what other tools add --------------------------------------------------------------------------------------------


def dmi_blocks(text):
    """(title, {key: value}) of each structure that dmidecode printed."""
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if line and not line.startswith(("#", "Handle "))]
        if lines:
            yield lines[0].strip(), dict(line.strip().split(": ", 1) for line in lines[1:] if ": " in line)


def mebibytes(text):
    match = re.fullmatch(r"(\d+) (MB|MiB|GB|GiB|TB)", text)
    return int(match.group(1)) * {"M": 1, "G": 1024, "T": 1024 * 1024}[match.group(2)[0]] if match else 0


def add_dmidecode(found, text):
    for title, fields in dmi_blocks(text):
        value = lambda name: said(fields.get(name))
        if title == "Memory Device" and mebibytes(value("Size")):
            place = (
                " ".join(filter(None, (value("Bank Locator"), value("Locator")))) or f"module {len(found['memory'])}"
            )
            found["memory"][place] = filled(
                size_mib=mebibytes(value("Size")),
                kind=value("Type"),
                speed=value("Speed"),
                vendor=value("Manufacturer"),
                part=value("Part Number"),
                serial=value("Serial Number"),
            )
        elif title == "System Information":
            found["system"].setdefault("system", {}).update(
                filled(vendor=value("Manufacturer"), product=value("Product Name"), serial=value("Serial Number"))
            )
        elif title == "BIOS Information":
            found["firmware"].setdefault("firmware", {}).update(
                filled(vendor=value("Vendor"), version=value("Version"), date=value("Release Date"))
            )


def add_lspci(found, text):
    """The names of devices, for people. They come from a list that is newer on some machines: never compared."""
    for block in re.split(r"\n\s*\n", text):
        fields = dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line)
        device = found["pci"].get(fields.get("Slot", ""))
        if device is not None:
            names = [re.sub(r" \[[0-9a-f]{4}\]$", "", fields.get(name, "")) for name in ("Vendor", "Device")]
            device["name"] = " ".join(filter(None, names))


def nodes(tree):
    if isinstance(tree, list):
        for each in tree:
            yield from nodes(each)
    elif isinstance(tree, dict):
        yield tree
        yield from nodes(tree.get("children", []))


def add_lshw(found, text):
    try:
        tree = json.loads(text)
    except ValueError:
        return
    modules = len(found["memory"]) > 1  # dmidecode knows more of each.
    for node in nodes(tree):
        value = lambda name: said(str(node.get(name, "")))
        if not modules and str(node.get("id", "")).startswith("bank") and node.get("size"):
            found["memory"][value("slot") or node["id"]] = filled(
                size_mib=node["size"] // 2**20,
                kind=value("description"),
                vendor=value("vendor"),
                part=value("product"),
                serial=value("serial"),
            )
        elif node.get("class") in ("disk", "storage") and value("serial") in found["disks"]:
            disk = found["disks"][value("serial")]
            disk.setdefault("firmware", value("version"))
            disk.setdefault("model", value("product"))


def take_inventory(machine):
    """The inventory of a machine, and what lshw printed, for the artifacts."""
    sysfs = Sysfs(machine.run(["sh", "-c", READ_SYSFS]).output)
    found = {
        "format": 1,
        "machine": machine.name,
        "sources": ["sysfs"],
        "system": system_of(sysfs),
        "firmware": firmware_of(sysfs),
        "processors": processors_of(sysfs),
        "memory": memory_of(sysfs),
        "pci": pci_of(sysfs),
        "disks": disks_of(sysfs),
        "network": network_of(sysfs),
    }
    extra = {}
    for tool, command, add in (
        ("dmidecode", ["dmidecode", "--quiet", "--type", "0,1,17"], add_dmidecode),
        ("lspci", ["lspci", "-D", "-vmmnn"], add_lspci),
        ("lshw", ["lshw", "-json", "-quiet", "-notime"], add_lshw),
    ):
        ended = machine.run(command)
        if ended.status == 0 and ended.output.strip():
            add(found, ended.output)
            found["sources"].append(tool)
            if tool == "lshw":
                extra[tool] = ended.output
        else:
            why = (ended.errors.strip() or ended.output.strip() or "it printed nothing").splitlines()[-1]
            say(f"{machine.name}: without {tool} ({why})")
    sections = {name: len(part) for name, part in found.items() if isinstance(part, dict)}
    say(
        f"{machine.name}: from {', '.join(found['sources'])}: "
        + ", ".join(f"{number} {name}" for name, number in sections.items())
    )
    return found, extra
