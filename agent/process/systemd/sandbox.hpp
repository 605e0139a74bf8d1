#pragma once

#include <optional>
#include <string>
#include <vector>

/// What outpost-step does for the sandbox of a step. systemd could make it (ProtectSystem=strict, ReadWritePaths=,
/// TemporaryFileSystem=, ProtectProc=invisible), but works through the list of all mounts once for each of these, for the
/// step and again for whoever writes its report: four fifths of the time that a short step takes. The kernel does it in
/// half a millisecond.
namespace outpost::process {

struct SandboxFailure {
  std::string what;  ///< What could not be done.
  int code = 0;      ///< errno
};

/// From here on this process, which has one thread, and whoever it starts see
/// * the file system read-only, but for `writable`, absolute paths, and the kernel's own (/dev, /proc, /sys); one that
///   begins with '-' may be missing, or out of reach;
/// * a /tmp and a /var/tmp of their own, in memory, each a tenth of it at most;
/// * no processes of other users; where the kernel refuses to hide them, stderr says so.
/// File systems that the host mounts later appear here too, as the host has them. Needs CAP_SYS_ADMIN and Linux 5.12 (RHEL
/// 9 has 5.14), and refuses to work without NoNewPrivileges=, for set-user-ID programs would make it useless. After a
/// failure half of it may be there.
[[nodiscard]] std::optional<SandboxFailure> enter_sandbox(const std::vector<std::string>& writable);

/// Gives up CAP_SYS_ADMIN for good: who is not root, and cannot become root, will not have it again, nor will whoever it
/// starts. Other capabilities that a unit has been given stay.
[[nodiscard]] std::optional<SandboxFailure> give_up_administration();

}  // namespace outpost::process
