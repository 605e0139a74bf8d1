#include "plugins/dlrn/promoter/publishing.hpp"

#include "plugins/dlrn/promoter/label_links.hpp"

#include "agent/job/event.hpp"

namespace outpost::promoter {

namespace asio = boost::asio;

asio::awaitable<Result<std::vector<std::string>>> publish(ImageServer& server, Published what, bool dry_run) {
  LabelLinks links{server};
  const auto there = co_await server.has_file(what.name, what.file);
  if (!there) co_return there.error();
  const auto before = co_await links.look(what.label);
  if (!before) co_return before.error();
  const std::string was = job::text_at(*before, "label");
  std::vector<std::string> lines;
  if (!*there) lines.push_back("file " + what.name + " on " + server.text());
  if (!was.empty() && was != what.name)
    lines.push_back("link " + previous_label(what.label) + " := " + was + " on " + server.text());
  if (was != what.name) lines.push_back("link " + what.label + " := " + what.name + " on " + server.text());
  if (dry_run || lines.empty()) co_return lines;
  if (!*there) {
    const auto put = co_await server.put_file(what.name, what.file);
    if (!put) co_return put.error();
    const auto arrived = co_await server.has_file(what.name, what.file);
    if (!arrived) co_return arrived.error();
    if (!*arrived) co_return Error{Fault::retry_later, server.text() + "/" + what.name + " is not there after all"};
  }
  auto moved = co_await links.move(what.label, what.name, *before);
  if (moved) co_return lines;
  const auto restored = co_await links.restore(what.label, what.name, *before);
  if (!restored) moved.error().message += "; and it could not be put back: " + restored.error().message;
  co_return moved.error();
}

}  // namespace outpost::promoter
