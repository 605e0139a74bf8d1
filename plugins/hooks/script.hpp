#pragma once

#include "plugins/hooks/diagnosis.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace outpost::hooks {

/// A hook as a file.
struct Script {
  std::string shown;        ///< As messages call it.
  std::string text;         ///< Its first MiB.
  std::string interpreter;  ///< "bash", "python3"; empty for a program.

  [[nodiscard]] bool is_shell() const;
};

/// Reads a hook, at most its first MiB.
[[nodiscard]] Script read_script(const std::filesystem::path& file, const std::string& shown);

/// Why a hook could not be started: no execute bit (PL002), CRLF or a #! line that leads nowhere (PL003), a file system
/// that is mounted noexec (PL015). A file that only others than we may read is a warning: nobody here can tell. Reads no
/// more than its beginning.
[[nodiscard]] Diagnoses start_mistakes(const std::filesystem::path& file, const std::string& shown);

struct ScriptContext {
  bool plugin_has_secrets = false;
  bool is_root = false;  ///< The plugin asks for jobs whose steps are root.
};

/// What in a shell script is likely a mistake: PL008, PL009, PL011, PL022.
void check_shell(const Script& script, const ScriptContext& context, Diagnoses& diagnoses);

}  // namespace outpost::hooks
