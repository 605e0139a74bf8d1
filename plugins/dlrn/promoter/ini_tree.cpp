#include "plugins/dlrn/promoter/ini_tree.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"

#include <algorithm>

namespace outpost::promoter {

using config::Node;
using config::Origin;

namespace {

class Parser {
 public:
  Parser(const std::string& file, config::Problems& problems) : file_{file}, problems_{problems} {
    root_.kind = Node::Kind::map;
    root_.origin = {file, 1, 1};
  }

  void line(std::string_view whole) {
    ++number_;
    if (whole.ends_with('\r')) whole.remove_suffix(1);
    const auto text = trim(whole);
    if (text.empty() || text.starts_with('#') || text.starts_with(';')) return;
    const int column = static_cast<int>(whole.find_first_not_of(" \t")) + 1;
    const Origin where{file_, number_, column};
    if (std::any_of(text.begin(), text.end(),
                    [](char byte) { return static_cast<unsigned char>(byte) < 0x20 && byte != '\t'; }))
      return problem(where, "a control byte");
    if (column > 1)
      return problem(where, "an indented line, which would belong to the value above it; begin it in the first column");
    if (text.starts_with('['))
      section(text, where);
    else
      entry(text, where);
  }

  [[nodiscard]] Node take() { return std::move(root_); }

 private:
  void problem(const Origin& where, std::string message) {
    problems_.list.push_back({where, std::move(message), config::ProblemKind::syntax});
  }

  void section(std::string_view text, const Origin& where) {
    if (!text.ends_with(']') || text.size() < 3) return problem(where, "a section is due, such as [main]");
    add(root_, std::string{trim(text.substr(1, text.size() - 2))}, where, Node::Kind::map);
  }

  void entry(std::string_view text, const Origin& where) {
    if (root_.items.empty()) return problem(where, "a key before the first section; begin with [main]");
    const auto separator = text.find_first_of("=:");
    const auto value = separator == std::string_view::npos ? "" : trim(text.substr(separator + 1));
    const bool has_value = separator != std::string_view::npos;
    Node* node = add(root_.items.back(), std::string{trim(text.substr(0, separator))}, where,
                     has_value ? Node::Kind::scalar : Node::Kind::null);
    if (!node) return;
    node->text = value;
    if (value.find("%(") != std::string_view::npos)
      problem(where, "%( is an interpolation, which is not supported; write the value out");
  }

  Node* add(Node& parent, std::string key, const Origin& where, Node::Kind kind) {
    if (const Node* before = parent.find(key)) {
      problems_.list.push_back(
          {where, config::quote(key) + " is there already, in line " + std::to_string(before->origin.line),
           config::ProblemKind::duplicate_key});
      return nullptr;
    }
    Node node;
    node.kind = kind;
    node.key = std::move(key);
    node.origin = where;
    parent.items.push_back(std::move(node));
    return &parent.items.back();
  }

  std::string file_;
  config::Problems& problems_;
  Node root_;
  int number_ = 0;
};

}  // namespace

config::Parsed parse_ini(std::string_view text, const std::string& file, config::Problems& problems) {
  if (!is_utf8(text)) {
    problems.list.push_back({{file, 0, 0}, "is not UTF-8", config::ProblemKind::syntax});
    return {{}, false};
  }
  Parser parser{file, problems};
  for (const auto& line : split(text, '\n')) parser.line(line);
  return {parser.take(), true};
}

}  // namespace outpost::promoter
