#include "agent/config/yaml_tree.hpp"

#include "agent/base/text.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace outpost::config {
namespace {

/// Thrown through the parser to end it; caught in this file.
struct Stop {
  Problem problem;
};

/// The text of a file, to turn the parser's marks into places that an editor knows.
class Lines {
 public:
  Lines(std::string_view text, std::string file) : file_{std::move(file)} {
    for (std::size_t at = 0;; ++at) {
      const auto end = std::min(text.find('\n', at), text.size());
      lines_.push_back(text.substr(at, end - at));
      if (end == text.size()) return;
      at = end;
    }
  }

  /// Both from 0, the column in bytes.
  [[nodiscard]] Origin at(std::size_t line, std::size_t column) const {
    // The parser reports the end of the file one line too far.
    if (line >= lines_.size()) {
      line = lines_.size() - 1;
      column = lines_.back().size();
    }
    const auto before = lines_[line].substr(0, column);
    const auto continuations = std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xC0) == 0x80; });
    return {file_, static_cast<int>(line) + 1, static_cast<int>(before.size()) - static_cast<int>(continuations) + 1};
  }

  [[nodiscard]] Origin at(const YAML::Mark& mark) const {
    if (mark.line < 0 || mark.column < 0) return {file_, 0, 0};
    return at(static_cast<std::size_t>(mark.line), static_cast<std::size_t>(mark.column));
  }

  [[nodiscard]] const std::vector<std::string_view>& all() const { return lines_; }

 private:
  std::string file_;
  std::vector<std::string_view> lines_;
};

std::size_t depth_of(const Node& node) {
  std::size_t deepest = 0;
  for (const auto& item : node.items) deepest = std::max(deepest, depth_of(item));
  return deepest + (node.kind == Node::Kind::list || node.kind == Node::Kind::map ? 1 : 0);
}

std::size_t count_of(const Node& node) {
  std::size_t count = 1;
  for (const auto& item : node.items) count += count_of(item);
  return count;
}

/// Builds the tree from the parser's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const Lines& lines, Problems& problems) : lines_{lines}, problems_{problems} {}

  [[nodiscard]] Node take() { return std::move(root_); }
  /// Of the last key or value that was whole.
  [[nodiscard]] int last_line() const { return last_line_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      throw Stop{{lines_.at(mark), "a second YAML document; one file holds one (remove the line ---)"}};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_as_key(mark);
    Node node;
    node.origin = lines_.at(mark);
    add(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node;
    node.kind = Node::Kind::scalar;
    node.origin = lines_.at(mark);
    node.text = value;
    node.quoted = !tag.empty() && tag != "?";
    if (expects_key()) {
      add_key(std::move(node), anchor);
    } else {
      add(std::move(node), anchor);
    }
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{{lines_.at(mark), "an alias inside the value that it stands for"}};
    Node node = found->second;
    if (expects_key()) {
      refuse_as_key(mark, node.kind == Node::Kind::scalar);
      node.origin = lines_.at(mark);
      add_key(std::move(node), 0);
      return;
    }
    node.origin = lines_.at(mark);
    if (open_.size() + depth_of(node) > yaml_depth) throw too_deep(node.origin);
    count(count_of(node), node.origin);
    add(std::move(node), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    merge(open_.back());
    close();
  }

 private:
  /// A list or mapping whose end has not come yet.
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Node> key;            ///< Whose value comes next.
    std::map<std::string, int> seen{};  ///< Key, line.
    std::vector<Node> merged{};         ///< Values of <<.
  };

  static bool is_merge(const Node& key) { return !key.quoted && key.text == "<<"; }
  [[nodiscard]] Stop too_deep(const Origin& where) const {
    return Stop{{where, "nested more than " + std::to_string(yaml_depth) + " levels deep"}};
  }
  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().key;
  }
  void refuse_as_key(const YAML::Mark& mark, bool is_word = false) {
    if (expects_key() && !is_word) throw Stop{{lines_.at(mark), "a key must be a word"}};
  }
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return;
    const std::string written = replace_all(tag, "tag:yaml.org,2002:", "!!");
    problems_.list.push_back(
        {lines_.at(mark), "YAML tags have no meaning here (remove " + printable(written, 80) + ")"});
  }
  void count(std::size_t values, const Origin& where) {
    values_ += values;
    if (values_ > yaml_values)
      throw Stop{{where, "more than " + std::to_string(yaml_values) + " values (aliases expanded)"}};
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    refuse_as_key(mark);
    check_tag(mark, tag);
    Node node;
    node.kind = kind;
    node.origin = lines_.at(mark);
    if (open_.size() >= yaml_depth) throw too_deep(node.origin);
    open_.push_back({.node = std::move(node), .anchor = anchor, .key = std::nullopt});
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor);
  }

  void add_key(Node key, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = key;
    const auto [seen, is_new] = open_.back().seen.emplace(key.text, key.origin.line);
    if (!is_new) {
      problems_.list.push_back({key.origin, "the key \"" + printable(key.text, 80) +
                                                "\" is written twice (first in line " + std::to_string(seen->second) +
                                                "); remove one",
                                ProblemKind::duplicate_key});
    }
    open_.back().key = std::move(key);
  }

  void add(Node node, YAML::anchor_t anchor) {
    last_line_ = std::max(last_line_, node.origin.line);
    count(1, node.origin);
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::map) {
      const Node key = *std::exchange(parent.key, std::nullopt);
      node.origin = key.origin;
      if (is_merge(key)) {
        parent.merged.push_back(std::move(node));
        return;
      }
      node.key = key.text;
    }
    parent.node.items.push_back(std::move(node));
  }

  /// What the mapping says itself comes first, then the earlier of the merged mappings.
  void merge(Open& map) {
    for (const auto& value : map.merged) {
      const std::vector<Node> sources = value.kind == Node::Kind::list ? value.items : std::vector<Node>{value};
      for (const auto& source : sources) {
        if (source.kind != Node::Kind::map) {
          problems_.list.push_back({value.origin, "<< takes an alias of a mapping, or a list of them"});
          continue;
        }
        for (const auto& item : source.items)
          if (map.seen.emplace(item.key, item.origin.line).second) map.node.items.push_back(item);
      }
    }
  }

  const Lines& lines_;
  Problems& problems_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  Node root_;
  int documents_ = 0;
  int last_line_ = 1;
  std::size_t values_ = 0;
};

/// How many bytes at the start of `line` are whole characters of UTF-8.
std::size_t valid_start(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size()) {
    std::size_t size = 1;
    while (size < 4 && !is_utf8(line.substr(at, size))) ++size;
    if (!is_utf8(line.substr(at, size))) break;
    at += size;
  }
  return at;
}

/// What the parser would take for something else, or silently replace.
std::optional<Problem> find_bad_byte(const Lines& lines) {
  for (std::size_t number = 0; number < lines.all().size(); ++number) {
    const auto line = lines.all()[number];
    if (!is_utf8(line)) return Problem{lines.at(number, valid_start(line)), "not UTF-8; save the file as UTF-8"};
    for (std::size_t column = 0; column < line.size(); ++column) {
      const auto byte = static_cast<unsigned char>(line[column]);
      if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
        return Problem{lines.at(number, column),
                       "a control byte (" + printable(line.substr(column, 1)) + "); remove it"};
    }
  }
  return std::nullopt;
}

/// The first line that is indented with a tab. Blanks before it can be the content of a block of text, so such a line
/// counts only when the parser has stumbled (`up_to` its line).
std::optional<Problem> find_tab(const Lines& lines, std::optional<std::size_t> up_to = std::nullopt) {
  const std::size_t end = up_to ? std::min(*up_to + 1, lines.all().size()) : lines.all().size();
  for (std::size_t number = 0; number < end; ++number) {
    const auto line = lines.all()[number];
    const auto content = line.find_first_not_of(" \t");
    if (content == std::string_view::npos || line[content] == '#') continue;
    const auto tab = line.substr(0, content).find('\t');
    if (tab == 0 || (up_to && tab != std::string_view::npos))
      return Problem{lines.at(number, tab), "a tab in the indentation; YAML takes only spaces"};
  }
  return std::nullopt;
}

/// What the parser's messages mean for somebody who does not know its words.
std::string explain(const std::string& message, int last_line) {
  if (message == "illegal EOF in scalar" || message == "illegal document indicator in scalar")
    return "a quote is opened in line " + std::to_string(last_line) + " or below and never closed";
  static constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"illegal map value",
       "a key is not expected here (is the indentation right? text with \": \" in it needs quotes)"},
      {"end of map not found", "the indentation fits no key above (or a quote before it is not closed)"},
      {"end of sequence not found", "the indentation fits no list above"},
      {"illegal flow end", "a ] or } closes nothing that is open, or one before it is missing"},
      {"end of sequence flow not found", "a [ is not closed by ], or a comma is missing"},
      {"end of map flow not found", "a { is not closed by }, or a comma is missing"},
      {"unknown token", "text cannot start with this character (put it in quotes)"},
      {"the referenced anchor is not defined", "there is no anchor (&) of this name above"},
  };
  for (const auto& [theirs, ours] : known)
    if (message == theirs) return std::string{ours};
  return printable(message, 200);
}

}  // namespace

const Node* Node::find(std::string_view wanted) const {
  const auto found = std::find_if(items.begin(), items.end(), [&](const Node& item) { return item.key == wanted; });
  return kind == Kind::map && found != items.end() ? &*found : nullptr;
}

Node* Node::find(std::string_view wanted) { return const_cast<Node*>(std::as_const(*this).find(wanted)); }

Parsed parse_yaml(std::string_view text, const std::string& file, Problems& problems) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  const std::string content = replace_all(std::string{text}, "\r\n", "\n");
  const Lines lines{content, file};
  const auto give_up = [&problems](Problem problem) {
    problem.kind = ProblemKind::syntax;
    problems.list.push_back(std::move(problem));
    return Parsed{.root = {}, .complete = false};
  };
  if (content.size() > yaml_bytes) return give_up({{file, 0, 0}, "larger than 1 MiB"});
  if (auto problem = find_bad_byte(lines)) return give_up(*std::move(problem));
  if (auto problem = find_tab(lines)) return give_up(*std::move(problem));
  Builder builder{lines, problems};
  try {
    // The parser takes a quote that is never closed when the file ends in blanks; behind a comment it complains.
    std::istringstream stream{content + "\n#"};
    YAML::Parser parser{stream};
    while (parser.HandleNextDocument(builder)) {
    }
    return {.root = builder.take(), .complete = true};
  } catch (Stop& stop) {
    return give_up(std::move(stop.problem));
  } catch (const YAML::Exception& error) {
    const auto line = static_cast<std::size_t>(std::max(0, error.mark.line));
    if (auto problem = find_tab(lines, line)) return give_up(*std::move(problem));
    return give_up({lines.at(error.mark), "not valid YAML: " + explain(error.msg, builder.last_line())});
  } catch (const std::exception& error) {
    return give_up({{file, 0, 0}, "not valid YAML: " + printable(error.what(), 200)});
  }
}

}  // namespace outpost::config
