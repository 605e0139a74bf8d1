#include "plugins/dci/expand.hpp"

#include "agent/job/event_types.hpp"
#include "plugins/dci/documents.hpp"
#include "plugins/dci/file_name.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace outpost::dci {
namespace {

namespace event = job::event;
using journal::Item;

constexpr std::size_t comment_limit = 1000;

// The states in their order, before the verdict.
constexpr std::array<std::string_view, 4> states{"new", "pre-run", "running", "post-run"};
constexpr std::array<std::string_view, 4> comments{"job scheduled", "acquiring resources and components",
                                                   "installing, certifying and testing", "collecting logs and results"};

std::size_t state_of(job::Stage stage) {
  if (stage == job::Stage::acquire || stage == job::Stage::pre_run) return 1;
  return job::judges_product(stage) ? 2 : 3;
}

/// The states that the stages so far gave rise to, as indices; `new` is always there.
std::vector<std::size_t> posted(const job::Story& story) {
  std::vector<std::size_t> list{0};
  for (const auto& record : story.stages)
    if (const std::size_t state = state_of(record.stage); state > list.back()) list.push_back(state);
  return list;
}

class Expansion {
 public:
  Expansion(const job::Event& event, const job::Story& before) : event_{event}, before_{before} {
    job_ = event.type == event::claim_granted && event.claim ? event.claim->external_ref : before.claim.external_ref;
  }

  std::vector<Item> run() {
    if (event_.type == event::claim_granted)
      claimed();
    else if (event_.type == event::stage_started)
      stage_started();
    else if (event_.type == event::stage_ended)
      stage_ended();
    else if (event_.type == event::log_cut)
      log_cut();
    else if (event_.type == event::step_ended)
      step_ended();
    else if (event_.type == event::task_ended)
      task_ended();
    else if (event_.type == event::result_found)
      result_found();
    else if (event_.type == event::artifact_found)
      artifact_found();
    else if (event_.type == event::job_tagged)
      add(kind::tag, text("tag"), {{"tag", plain_text(text("tag"), 255)}});
    else if (event_.type == event::job_warning)
      warned();
    else if (event_.type == event::job_ended)
      ended();
    else if (event_.type == event::job_withdrawn)
      withdrawn();
    return std::move(items_);
  }

 private:
  [[nodiscard]] std::string text(std::string_view name) const { return job::text_at(event_.data, name); }
  [[nodiscard]] std::string key(std::string_view kind, std::string_view rest) const {
    return event_.job_id + '/' + std::string{kind} + '/' + std::string{rest};
  }
  [[nodiscard]] std::string state_key(std::size_t state) const { return key(kind::state, states.at(state)); }

  Item& add(std::string_view kind, std::string_view rest, boost::json::object body) {
    Item item;
    item.key = key(kind, rest);
    item.job_id = event_.job_id;
    item.kind = kind;
    item.body = std::move(body);
    item.body["job"] = job_;
    items_.push_back(std::move(item));
    return items_.back();
  }

  Item& add_state(std::string_view rest, std::string_view status, const std::string& comment) {
    return add(kind::state, rest, {{"status", status}, {"comment", plain_text(comment, comment_limit)}});
  }

  void add_value(const std::string& name, double value) {
    add(kind::value, name, {{"key", plain_text(name, 255)}, {"value", value}});
  }

  void claimed() {
    add_state(states[0], states[0], std::string{comments[0]});
    const auto* values = before_.job.definition.options.if_contains("key_values");
    if (!values || !values->is_object()) return;
    for (const auto& [name, value] : values->get_object()) {
      boost::system::error_code not_a_number;
      const double number = value.to_number<double>(not_a_number);
      if (!not_a_number) add_value(std::string{name}, number);
    }
  }

  void stage_started() {
    const auto stage = job::parse_stage(text("stage"));
    if (!stage) return;
    const std::size_t state = state_of(*stage);
    const std::size_t reached = posted(before_).back();
    if (state > reached)
      add_state(states[state], states[state], std::string{comments[state]}).needs = {state_key(reached)};
  }

  void stage_ended() {
    const auto stage = job::parse_stage(text("stage"));
    if (!stage) return;
    if (text("outcome") != "empty" && event_.data.contains("duration_ms")) {
      std::string name{to_string(*stage)};
      std::replace(name.begin(), name.end(), '-', '_');
      add_value("stage_" + name + "_seconds", static_cast<double>(job::number_at(event_.data, "duration_ms")) / 1000);
    }
    if (*stage == job::Stage::collect && before_.judgement) verdict(before_.judgement->verdict);
  }

  void log_cut() {
    const auto stage = job::parse_stage(text("stage"));
    const auto step = std::find_if(before_.steps.begin(), before_.steps.end(),
                                   [&](const auto& one) { return one.id == event_.step_id; });
    if (event_.blobs.empty() || !stage || step == before_.steps.end()) return;
    const auto& blob = event_.blobs.front();
    const std::uint64_t offset = blob.range ? blob.range->offset : 0;
    Item& item = add(kind::log, event_.step_id + '/' + std::to_string(step->cuts),
                     {{"log", log_name(*step)}, {"offset", offset}});
    item.blob = blob;
    item.needs = {state_key_of(*stage)};
    // The server lists files in the order in which they came.
    if (step->cuts > 0) item.follows = {key(kind::log, event_.step_id + '/' + std::to_string(step->cuts - 1))};
  }

  /// The state of a stage, or the one before when that one was never due.
  [[nodiscard]] std::string state_key_of(job::Stage stage) const {
    const auto all = posted(before_);
    return state_key(*std::prev(std::upper_bound(all.begin(), all.end(), state_of(stage))));
  }

  void task_ended() {
    const auto stage = job::parse_stage(text("stage"));
    const auto step = std::find_if(before_.steps.begin(), before_.steps.end(),
                                   [&](const auto& one) { return one.id == event_.step_id; });
    if (event_.blobs.empty() || !stage || step == before_.steps.end()) return;
    Item& item = add(kind::task, event_.step_id + '/' + std::to_string(step->tasks),
                     {{"name", stored_name(task_prefix() + text("name"))}, {"mime", task_mime}, {"alike", alike(*stage)}});
    // As today's agents do it: a task that printed nothing has a space.
    if (event_.blobs.front().size > 0) item.blob = event_.blobs.front();
    else item.body["content"] = " ";
    item.needs = {state_key_of(*stage)};
    // The server lists files in the order in which they came.
    if (step->tasks > 0) item.follows = {key(kind::task, event_.step_id + '/' + std::to_string(step->tasks - 1))};
  }

  /// What the server's user interface shows a task by.
  [[nodiscard]] std::string task_prefix() const {
    const std::string result = text("result");
    if (result == "failed" || result == "interrupted") return "failed/";
    if (result == "unreachable") return "unreachable/";
    if (result == "ignored") return "skipped/";
    if (job::number_at(event_.data, "warnings") > 0) return "warn/";
    return result == "skipped" ? "skipped/" : "";
  }

  /// How many tasks before this one make a file of the same name and size with the same state.
  [[nodiscard]] unsigned alike(job::Stage stage) const {
    const std::string likeness = job::task_likeness(event_);
    unsigned count = 0;
    for (const auto& step : before_.steps)
      if (const auto same = step.tasks_alike.find(likeness); same != step.tasks_alike.end() && state_of(step.stage) == state_of(stage))
        count += same->second;
    return count;
  }

  /// "install/acme/install.log"; the second run of the same hook is "install/acme/install#2.log".
  [[nodiscard]] std::string log_name(const job::StepRecord& step) const {
    unsigned run = 1;
    for (const auto& earlier : before_.steps) {
      if (earlier.id == step.id) break;
      if (earlier.stage == step.stage && earlier.plugin == step.plugin && earlier.hook == step.hook) ++run;
    }
    const std::string name = std::string{to_string(step.stage)} + '/' + step.plugin + '/' + step.hook +
                             (run > 1 ? "#" + std::to_string(run) : "") + ".log";
    return stored_name(name, 255 - piece_suffix);
  }

  /// Its metrics as values, and its notes as one file.
  void said_by_step() {
    const auto* step = before_.step(event_.step_id);
    if (!step) return;
    for (const auto& [name, value] : step->told.metrics) add_value(name, value);
    std::string notes;
    for (const auto& each : step->told.annotations) notes += each.level + ": " + each.text + (each.file.empty() ? "" : " (" + each.file + ")") + "\n";
    constexpr std::size_t most = std::size_t{64} * 1024;
    if (notes.size() > most) notes = notes.substr(0, notes.rfind('\n', most)) + "\n... and more, see outpost job show\n";
    if (!notes.empty())
      add_note("notes/" + event_.step_id, std::string{to_string(step->stage)} + "/" + step->plugin + "/" + event_.step_id + ".notes.txt", notes);
  }

  /// What the step took, where it was measured: "step_install_acme_storage_memory_peak_mib".
  void step_ended() {
    said_by_step();
    const auto* found = event_.data.if_contains("figures");
    if (!found || !found->is_object()) return;
    std::string name = "step_" + event_.step_id + "_";
    for (char& c : name)
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    constexpr double microseconds = 1e-6, mebibytes = 1.0 / (1 << 20);
    const auto put = [&](std::string_view figure, std::string_view as, double unit) {
      if (found->get_object().contains(figure))
        add_value(name + std::string{as}, static_cast<double>(job::number_at(found->get_object(), figure)) * unit);
    };
    put("cpu_us", "cpu_seconds", microseconds);
    put("memory_peak", "memory_peak_mib", mebibytes);
    put("read_bytes", "read_mib", mebibytes);
    put("written_bytes", "written_mib", mebibytes);
    put("tasks_peak", "tasks_peak", 1);
  }

  void result_found() {
    if (event_.blobs.empty()) return;
    const auto* well_formed = event_.data.if_contains("well_formed");
    const bool readable = !well_formed || !well_formed->is_bool() || well_formed->get_bool();
    const std::string name = stored_name(text("name"));
    // The server keeps a file that it cannot parse and answers 400: better to say at once that it is only text.
    add(kind::result, text("name"), {{"name", name}, {"mime", readable ? junit_mime : "text/plain"}}).blob =
        event_.blobs.front();
    if (readable) return;
    const std::string problem = text("problem").empty() ? "it cannot be read" : text("problem");
    add_note(
        "result/" + text("name"), text("name") + ".warning.txt",
        "The result file " + text("name") + " is not well-formed JUnit: " + problem + "\nIts tests are not counted.\n");
  }

  void artifact_found() {
    if (event_.blobs.empty()) return;
    const auto& blob = event_.blobs.front();
    std::string name = text("name");
    const std::string mime = !text("mime").empty() ? text("mime") : !blob.mime.empty() ? blob.mime : mime_of(name);
    // Two steps may leave files of the same name; at the server each is to be found again.
    const auto same = std::count(before_.artifact_names.begin(), before_.artifact_names.end(), name);
    if (same > 0) name += "#" + std::to_string(same + 1);
    Item& item =
        add(kind::artifact, event_.step_id + '/' + name, {{"name", stored_name(name)}, {"mime", safe_mime(mime)}});
    item.blob = blob;
  }

  void add_note(const std::string& rest, const std::string& name, const std::string& content) {
    add(kind::note, rest, {{"name", stored_name(name)}, {"content", content}});
  }

  void warned() {
    // Earlier ones are part of the verdict's comment.
    const auto* collect = before_.stage(job::Stage::collect);
    if (!collect || !collect->ended) return;
    const std::string number = std::to_string(before_.warnings.size() + 1);
    add_note("warning/" + number, "outpost/warning-" + number + ".txt",
             (text("stage").empty() ? "" : text("stage") + ": ") + text("message") + "\n");
  }

  void verdict(job::Verdict verdict) {
    const auto all = posted(before_);
    const bool ran = std::find(all.begin(), all.end(), std::size_t{2}) != all.end();
    // A failure blames the product, which nobody had touched before `running`; the server would store it as an error
    // too, but only in one of its two places.
    if (verdict == job::Verdict::failure && !ran) verdict = job::Verdict::error;
    Item& item = add_state("verdict", to_string(verdict), verdict_comment(verdict));
    // Behind the states before it, but not without it when one of them was refused: the verdict is what people wait for.
    item.follows = {state_key(all.back())};
    // Whoever gets the server's mail about the verdict finds everything there.
    for (const auto& step : before_.steps) {
      if (step.cuts > 0) item.follows.push_back(key(kind::log, step.id + '/' + std::to_string(step.cuts - 1)));
      if (step.tasks > 0) item.follows.push_back(key(kind::task, step.id + '/' + std::to_string(step.tasks - 1)));
    }
    for (const auto& name : before_.result_names) item.follows.push_back(key(kind::result, name));
  }

  [[nodiscard]] std::string verdict_comment(job::Verdict verdict) const {
    std::string comment = before_.judgement ? before_.judgement->message : "";
    if (comment.empty())
      comment = verdict == job::Verdict::success ? "everything passed" : std::string{to_string(verdict)};
    const auto& totals = before_.totals;
    if (totals.total > 0)
      comment += "; " + describe(totals);
    if (!before_.warnings.empty())
      comment += "; " + std::to_string(before_.warnings.size()) +
                 (before_.warnings.size() == 1 ? " warning: " : " warnings, the first: ") + before_.warnings.front();
    return comment;
  }

  void ended() {
    // Again the item that collect's end gave rise to, for a job whose collect never ended; a known key stays as it is.
    const auto said = job::parse_verdict(text("verdict"));
    verdict(before_.judgement ? before_.judgement->verdict : said.value_or(job::Verdict::error));
    if (event_.data.contains("duration_ms"))
      add_value("job_seconds", static_cast<double>(job::number_at(event_.data, "duration_ms")) / 1000);
    add_value("steps", static_cast<double>(before_.steps.size()));
    std::int64_t peak = 0;
    for (const auto& step : before_.steps) peak = std::max(peak, step.workspace_peak);
    if (peak > 0) add_value("workspace_peak_bytes", static_cast<double>(peak));
  }

  void withdrawn() {
    Item& item = add_state("verdict", "killed", text("reason").empty() ? "withdrawn" : "withdrawn: " + text("reason"));
    item.follows = {state_key(posted(before_).back())};
  }

  const job::Event& event_;
  const job::Story& before_;
  std::string job_;
  std::vector<Item> items_;
};

}  // namespace

std::vector<Item> expand(const job::Event& event, const job::Story& before, const std::string& source) {
  const job::Claim& claim = event.type == event::claim_granted && event.claim ? *event.claim : before.claim;
  if (claim.external_ref.empty() || claim.source != source) return {};
  return Expansion{event, before}.run();
}

}  // namespace outpost::dci
