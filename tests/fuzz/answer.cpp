// An answer of a DCI server, or of what stands in front of it: the status, the header fields, an empty line, the body.
#include "promise.hpp"

#include "agent/base/text.hpp"
#include "plugins/dci/answer.hpp"
#include "plugins/dci/documents.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <charconv>

namespace {

using namespace outpost;

http::Response response_of(std::string_view rest) {
  http::Response response;
  const std::string_view status = fuzz::take_line(rest);
  std::from_chars(status.data(), status.data() + status.size(), response.status);
  response.status = 100 + static_cast<int>(static_cast<unsigned>(response.status) % 900);
  for (std::string_view line = fuzz::take_line(rest); !line.empty(); line = fuzz::take_line(rest)) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    response.headers.add(std::string{line.substr(0, colon)}, std::string{trim(line.substr(std::min(colon + 1, line.size())))});
  }
  response.body = rest;
  return response;
}

void check(const dci::Judged& judged) {
  if (judged.meaning != dci::Meaning::ok) fuzz::promise_message(judged.message);
  if (judged.wait)
    fuzz::promise(*judged.wait >= std::chrono::milliseconds{0} && *judged.wait <= std::chrono::days{1},
                  "a server makes nobody wait longer than a day");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const dci::Answer answer = dci::read_answer(response_of(fuzz::text_of(data, size)), "S3cretS3cret");
  fuzz::promise(answer.words.size() <= 300, "the server's words are few");
  if (!answer.words.empty()) fuzz::promise_message(answer.words);
  fuzz::promise(answer.words.find("S3cretS3cret") == std::string::npos, "the secret is not repeated");

  const Timestamp sent = *parse_rfc3339("2026-11-20T12:00:00Z");
  for (const bool rows : {false, true}) {
    const std::string key = rows ? "jobs" : "job";
    const auto judged = dci::judge(
        answer, {"GET /api/v1/jobs", key, rows, "api.example.org", "remoteci/1d2f9a3c-0b4e-4c5d-8e6f-7a8b9c0d1e2f", sent, 10});
    check(judged);
    if (judged.meaning == dci::Meaning::ok && !rows) {
      fuzz::promise(answer.object(key) != nullptr, "a good answer has what was asked for");
      (void)boost::json::serialize(dci::job_document(answer.row(key)));
    }
  }
  check(dci::judge(answer, {"DELETE /api/v1/jobs/1", "", false, "api.example.org", "remoteci/1d2f9a3c", sent, 0}));
  for (const auto& row : answer.list("components"))
    if (row.is_object()) (void)dci::component_of(row.get_object());
  return 0;
}
