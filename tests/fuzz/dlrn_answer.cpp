// An answer of a package builder's API, or of what stands in front of it, to every call: the status, the header fields, an
// empty line, the body.
#include "promise.hpp"

#include "agent/base/text.hpp"
#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "plugins/dlrn/api.hpp"
#include "support/await.hpp"

#include <algorithm>
#include <charconv>

namespace {

using namespace outpost;

test::FakeReply reply_of(std::string_view rest) {
  test::FakeReply reply;
  const std::string_view status = fuzz::take_line(rest);
  std::from_chars(status.data(), status.data() + status.size(), reply.status);
  reply.status = 100 + static_cast<int>(static_cast<unsigned>(reply.status) % 900);
  for (std::string_view line = fuzz::take_line(rest); !line.empty(); line = fuzz::take_line(rest)) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    reply.headers.add(std::string{line.substr(0, colon)}, std::string{trim(line.substr(std::min(colon + 1, line.size())))});
  }
  reply.body = rest;
  return reply;
}

template <class Value>
bool check(const dlrn::Answer<Value>& answer) {
  if (answer) return true;
  const auto& failure = answer.error();
  fuzz::promise_message(failure.message);
  fuzz::promise(failure.message.find("S3cretS3cret") == std::string::npos, "the password is not repeated");
  if (failure.wait) fuzz::promise(*failure.wait >= std::chrono::milliseconds{0} && *failure.wait <= std::chrono::days{1}, "a builder makes nobody wait longer than a day");
  (void)dlrn::to_error(failure);
  return false;
}

void check_time(std::chrono::sys_seconds time) {
  constexpr std::chrono::seconds year_9999{253'402'300'799};
  fuzz::promise(time.time_since_epoch() <= year_9999 && time.time_since_epoch() >= -year_9999, "a time can be written down");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto reply = reply_of(fuzz::text_of(data, size));
  test::FakeHttpClient client{[&](const http::Request&) { return reply; }};
  test::FixedClock clock;
  const auto api = dlrn::Api::make(client, clock, {.base = "http://127.0.0.1:1", .authorization = std::make_shared<dlrn::BasicAuthorization>("lab", config::Secret{"S3cretS3cret"})});
  const dlrn::BuildHash build{std::string(40, 'a'), std::string(40, 'b'), ""};
  (void)check(test::await(api->check_credentials()));
  (void)check(test::await(api->components()));
  if (const auto votes = test::await(api->votes(build)); check(votes))
    for (const auto& vote : *votes) check_time(vote.timestamp);
  if (const auto vote = test::await(api->last_tested({})); check(vote)) check_time(vote->timestamp);
  if (const auto rows = test::await(api->promotions({})); check(rows))
    for (const auto& row : *rows) check_time(row.timestamp);
  const auto promoted = test::await(api->promote({build, "tested"}));
  if (!check(promoted) && reply.status >= 500) fuzz::promise(promoted.error().uncertain, "after a 500 nobody knows what was done");
  return 0;
}
