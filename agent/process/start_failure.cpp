#include "agent/process/start_failure.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace outpost::process {
namespace {

namespace fs = std::filesystem;

/// What the kernel looks at: the first 256 bytes.
std::string first_bytes(const fs::path& program) {
  std::error_code ignored;
  if (!fs::is_regular_file(program, ignored)) return {};
  std::ifstream file{program, std::ios::binary};
  std::string head(256, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

bool is_script(const std::string& head) { return head.starts_with("#!"); }

std::string first_line(const std::string& head) { return head.substr(0, head.find('\n')); }

std::string interpreter_of(const std::string& head) {
  const auto line = first_line(head).substr(2);
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos) return {};
  return line.substr(begin, line.find_first_of(" \t\r", begin) - begin);
}

std::string explain_missing(const fs::path& program, const std::string& head, const std::string& reason) {
  std::error_code ignored;
  if (!fs::exists(program, ignored)) return reason;
  if (is_script(head))
    return "its interpreter " + printable(interpreter_of(head)) + " is missing: install it or correct the first line";
  return "the program exists, but its dynamic linker does not: it was built for another system";
}

std::string explain_denied(const fs::path& program, const std::string& head, const std::string& reason) {
  std::error_code ignored;
  const auto status = fs::status(program, ignored);
  if (fs::is_directory(status)) return reason + ": it is a directory";
  if (!fs::is_regular_file(status)) return reason;
  constexpr auto any_x = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  if ((status.permissions() & any_x) == fs::perms::none)
    return reason + ": it is not executable; repair with: chmod +x " + shell_word(printable(program.string()));
  if (is_script(head))
    return reason + ": this user may not run it, or not its interpreter " + printable(interpreter_of(head));
  return reason + ": this user may not run it, or its file system is mounted noexec";
}

std::string explain_format(const std::string& head, const std::string& reason) {
  if (head.empty()) return reason + ": the file is empty";
  if (head.starts_with("\x7f"
                       "ELF"))
    return reason + ": it was built for another kind of machine";
  if (head.starts_with("\xef\xbb\xbf#!"))
    return reason + ": a byte order mark stands before the '#!'; remove the first three bytes";
  return reason + ": a script must begin with a line such as #!/bin/sh";
}

}  // namespace

bool has_crlf_shebang(const fs::path& program) {
  const auto head = first_bytes(program);
  // `env -S` splits its argument at any white space and so does not mind.
  return is_script(head) && head.find('\n') != std::string::npos && first_line(head).ends_with('\r') &&
         first_line(head).find(" -S") == std::string::npos;
}

Error crlf_error(const fs::path& program) {
  const auto name = printable(program.string());
  return {Fault::unavailable, name +
                                  ": the file has CRLF line endings, so its interpreter cannot be found; "
                                  "convert with: sed -i 's/\\r$//' " +
                                  shell_word(name)};
}

Error explain_start_failure(const fs::path& program, int code) {
  if (has_crlf_shebang(program)) return crlf_error(program);
  const auto head = first_bytes(program);
  std::string why = std::strerror(code);
  if (code == ENOENT) why = explain_missing(program, head, why);
  if (code == EACCES) why = explain_denied(program, head, why);
  if (code == ENOEXEC) why = explain_format(head, why);
  if (code == E2BIG) why += ": its arguments and environment are too large together";
  return {Fault::unavailable, printable(program.string()) + ": " + why};
}

}  // namespace outpost::process
