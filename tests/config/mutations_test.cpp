#include "configuration.hpp"
#include "support/catch.hpp"

#include <set>

using namespace outpost::config::test;

namespace {

/// One mistake somebody makes in a good file, and what he is told.
struct Mutation {
  std::string from, to, expected;
};

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> all{
      {"timeout: 24h", "timeout: 10 minuts",
       "outpost.yml:27:5: jobs.timeout: \"10 minuts\" is not a duration (example: 10min)\n"},
      {"timeout: 24h", "timeout: 90",
       "outpost.yml:27:5: jobs.timeout: \"90\" has no unit (write 90s, 90min, 90h or 90d)\n"},
      {"timeout: 24h", "timeout: [24h]",
       "outpost.yml:27:5: jobs.timeout: a list, but a duration (example: 10min) is due\n"},
      {"timeout: 24h", "timeout: 0s", "outpost.yml:27:5: jobs.timeout: \"0s\" is not between 1s and 30d\n"},
      {"timeout: 24h", "timeout: 40d", "outpost.yml:27:5: jobs.timeout: \"40d\" is not between 1s and 30d\n"},
      {"timeout: 24h", "timout: 24h", "outpost.yml:27:5: jobs: unknown key \"timout\" (did you mean \"timeout\"?)\n"},
      {"timeout: 24h", "timeout: -1h", "outpost.yml:27:5: jobs.timeout: \"-1h\" is not a duration (example: 10min)\n"},
      {"grace: 30s", "grace: 2h", "outpost.yml:28:5: jobs.grace: \"2h\" is not between 0ms and 1h\n"},
      {"poll: 30s", "poll: 10ms", "outpost.yml:7:5: sources.dci.poll: \"10ms\" is not between 100ms and 1d\n"},
      {"poll: 30s", "poll: {every: 30s}",
       "outpost.yml:7:5: sources.dci.poll: a mapping, but a duration (example: 10min) is due\n"},
      {"slots: 2", "slots: two", "outpost.yml:40:1: slots: \"two\" is not a whole number (example: 2)\n"},
      {"slots: 2", "slots: 0", "outpost.yml:40:1: slots: 0 is not between 1 and 63\n"},
      {"slots: 2", "slots: 65", "outpost.yml:40:1: slots: 65 is not between 1 and 63\n"},
      {"slots: 2", "slots: -1", "outpost.yml:40:1: slots: -1 is not between 1 and 63\n"},
      {"slots: 2", "slots: 1.5", "outpost.yml:40:1: slots: \"1.5\" is not a whole number (example: 2)\n"},
      {"slots: 2", "slots: \"2\"",
       "outpost.yml:40:1: slots: \"2\" in quotes is text, but a whole number is due (remove the quotes)\n"},
      {"slots: 2", "slots: 010", "outpost.yml:40:1: slots: \"010\" is not a whole number (example: 2)\n"},
      {"slots: 2", "slots: 99999999999999999999",
       "outpost.yml:40:1: slots: \"99999999999999999999\" is not a whole number (example: 2)\n"},
      {"slots: 2", "slots: [2]", "outpost.yml:40:1: slots: a list, but a whole number is due\n"},
      {"slots: 2", "slot: 2", "outpost.yml:40:1: unknown key \"slot\" (did you mean \"slots\"?)\n"},
      {"slots: 2", "slots: 2\nslots: 3",
       "outpost.yml:41:1: the key \"slots\" is written twice (first in line 40); remove one\n"},
      {"enabled: true", "enabled: yes", "outpost.yml:35:5: jobs.enabled: \"yes\" is not a boolean (write true)\n"},
      {"enabled: true", "enabled: Off", "outpost.yml:35:5: jobs.enabled: \"Off\" is not a boolean (write false)\n"},
      {"enabled: true", "enabled: True", "outpost.yml:35:5: jobs.enabled: \"True\" is not a boolean (write true)\n"},
      {"enabled: true", "enabled: \"true\"",
       "outpost.yml:35:5: jobs.enabled: \"true\" in quotes is text, but true or false is due (remove the quotes)\n"},
      {"enabled: true", "enabled: maybe",
       "outpost.yml:35:5: jobs.enabled: \"maybe\" is not a boolean (write true or false)\n"},
      {"enabled: true", "enabled: [true]", "outpost.yml:35:5: jobs.enabled: a list, but true or false is due\n"},
      {"allow_local_redirects: false", "allow_local_redirects: no",
       "outpost.yml:14:5: sources.dci.allow_local_redirects: \"no\" is not a boolean (write false)\n"},
      {"type: dci\n", "type: dcii\n",
       "outpost.yml:4:5: sources.dci.type: \"dcii\" is not a type of source (did you mean \"dci\"?)\n"},
      {"type: dci\n", "type: jenkins\n",
       "outpost.yml:4:5: sources.dci.type: \"jenkins\" is not a type of source (known types: dci, bus)\n"},
      {"type: dci\n", "typ: dci\n",
       "outpost.yml:3:3: sources.dci: the key \"type\" is missing (known types: dci, bus)\n"},
      {"type: dci\n", "type: [dci]\n", "outpost.yml:4:5: sources.dci.type: a list, but a name is due\n"},
      {"url: https://api.example.org/", "url: api.example.org",
       "outpost.yml:5:5: sources.dci.url: \"api.example.org\" is not an address that starts with https:// or "
       "http://\n"},
      {"url: https://api.example.org/", "url: ftp://api.example.org",
       "outpost.yml:5:5: sources.dci.url: \"ftp://api.example.org\" is not an address that starts with https:// or "
       "http://\n"},
      {"url: https://api.example.org/", "url: https://bob:pw@api.example.org",
       "outpost.yml:5:5: sources.dci.url: the address has a user in it; that belongs into credentials\n"},
      {"url: https://api.example.org/", "url: https://api.example.org?x=1",
       "outpost.yml:5:5: sources.dci.url: \"https://api.example.org?x=1\" has a ? or #; write only what comes before "
       "it\n"},
      {"url: https://api.example.org/", "url: https://",
       "outpost.yml:5:5: sources.dci.url: \"https://\" is not an address that starts with https:// or http://\n"},
      {"url: https://api.example.org/", "url: https://api.example.org:99999",
       "outpost.yml:5:5: sources.dci.url: \"https://api.example.org:99999\" has a port that is none (1 to 65535)\n"},
      {"url: https://api.example.org/", "url: \"https://api.exa mple.org\"",
       "outpost.yml:5:5: sources.dci.url: \"https://api.exa mple.org\" is not an address that starts with https:// or "
       "http://\n"},
      {"proxy: http://user:secret@proxy.example.org:3128", "proxy: user:secret@proxy",
       "outpost.yml:11:5: sources.dci.proxy: the value (not shown: it may hold a secret) is not an address that starts "
       "with https:// or http://\n"},
      {"credentials: dci_credentials.yml", "credentials: ~/dci_credentials.yml",
       "outpost.yml:6:5: sources.dci.credentials: \"~/dci_credentials.yml\" is not a path (~ and $ are not expanded: "
       "write the whole path)\n"},
      {"credentials: dci_credentials.yml", "credentials: $HOME/dcirc.sh",
       "outpost.yml:6:5: sources.dci.credentials: \"$HOME/dcirc.sh\" is not a path (~ and $ are not expanded: write "
       "the whole path)\n"},
      {"credentials: dci_credentials.yml", "credentials: {secret: bmc5}",
       "outpost.yml:6:19: sources.dci.credentials.secret: there is no \"bmc5\" in secrets (did you mean \"bmc4\"?)\n"},
      {"credentials: dci_credentials.yml", "credentials: {file: a, credential: b}",
       "outpost.yml:6:5: sources.dci.credentials: exactly one of the keys file, credential and secret is due\n"},
      {"credentials: dci_credentials.yml", "credentials: {path: a}",
       "outpost.yml:6:19: sources.dci.credentials: unknown key \"path\" (known keys: file, credential, secret)\n"},
      {"credentials: dci_credentials.yml", "credentials: [a]",
       "outpost.yml:6:5: sources.dci.credentials: a list, but text is due\n"},
      {"credentials: dci_credentials.yml", "client_id: 1",
       "outpost.yml:3:3: sources.dci: the key \"api_secret_file\" is missing (client_id and api_secret_file belong "
       "together)\n"},
      {"credentials: dci_credentials.yml", "api_secret_file: x",
       "outpost.yml:3:3: sources.dci: the key \"client_id\" is missing (client_id and api_secret_file belong "
       "together)\n"},
      {"credentials: dci_credentials.yml", "credentials: a\n    client_id: b\n    api_secret_file: c",
       "outpost.yml:6:5: sources.dci.credentials: either this, or client_id and api_secret_file\n"},
      {"credentials: dci_credentials.yml", "attempts: 3",
       "outpost.yml:3:3: sources.dci: the key \"credentials\" is missing (example: credentials: "
       "/etc/outpost/dci_credentials.yml)\n"},
      {"client_key: /etc/pki/client.key", "attempts: 3",
       "outpost.yml:3:3: sources.dci: the key \"client_key\" is missing (certificate and key belong together)\n"},
      {"client_certificate: /etc/pki/client.pem", "attempts: 3",
       "outpost.yml:3:3: sources.dci: the key \"client_certificate\" is missing (certificate and key belong "
       "together)\n"},
      {"upload_limit: 20MiB", "upload_limit: 20 parsecs",
       "outpost.yml:13:5: sources.dci.upload_limit: \"20 parsecs\" is not a size (example: 5GiB)\n"},
      {"upload_limit: 20MiB", "upload_limit: 20",
       "outpost.yml:13:5: sources.dci.upload_limit: \"20\" is less than 1.0 KiB\n"},
      {"upload_limit: 20MiB", "upload_limits: 20MiB",
       "outpost.yml:13:5: sources.dci: unknown key \"upload_limits\" (did you mean \"upload_limit\"?)\n"},
      {"upload_limit: 20MiB", "attempts: many",
       "outpost.yml:13:5: sources.dci.attempts: \"many\" is not a whole number (example: 2)\n"},
      {"upload_limit: 20MiB", "read_only: yes",
       "outpost.yml:13:5: sources.dci.read_only: \"yes\" is not a boolean (write true)\n"},
      {"upload_limit: 20MiB", "products: OCP",
       "outpost.yml:13:5: sources.dci.products: a single value, but a list (example: [OCP]) is due\n"},
      {"upload_limit: 20MiB", "mirror: no",
       "outpost.yml:13:5: sources.dci.mirror: \"no\" is not an address that starts with https:// or http://\n"},
      {"upload_limit: 20MiB", "chunk: big",
       "outpost.yml:13:5: sources.dci.chunk: \"big\" is not a size (example: 5GiB)\n"},
      {"clock_skew: 2min", "clock_skew: 2",
       "outpost.yml:16:5: sources.dci.clock_skew: \"2\" has no unit (write 2s, 2min, 2h or 2d)\n"},
      {"clock_skew: 2min", "clock_skw: 2min",
       "outpost.yml:16:5: sources.dci: unknown key \"clock_skw\" (did you mean \"clock_skew\"?)\n"},
      {"team: 42", "team: {id: 42}", "outpost.yml:15:5: sources.dci.team: a mapping, but text is due\n"},
      {", queue: lab}", "}",
       "outpost.yml:17:3: sources.events: the key \"queue\" is missing (the name of the queue)\n"},
      {"url: \"https://bus.example.org\", ", "",
       "outpost.yml:17:3: sources.events: the key \"url\" is missing (example: url: https://api.example.org)\n"},
      {"  events: {type", "  \"ev ents\": {type",
       "outpost.yml:17:3: sources: \"ev ents\" is not a name (letters, digits, '.', '_' and '-', at most 64)\n"
       "outpost.yml:29:22: jobs.reporters: there is no source \"events\"\n"
       "outpost.yml:37:5: jobs.source: there is no source \"events\"\n"},
      {"  events: {type", "  events:\n  more: {type",
       "outpost.yml:17:3: sources.events: no value, but a mapping (lines of \"key: value\") is due\n"},
      {"source: dci", "source: dcj",
       "outpost.yml:20:5: jobs.source: there is no source \"dcj\" (did you mean \"dci\"?)\n"},
      {"source: dci", "sources: dci",
       "outpost.yml:19:5: jobs: the key \"source\" is missing (the name of an entry of sources)\n"
       "outpost.yml:20:5: jobs: unknown key \"sources\" (did you mean \"source\"?)\n"},
      {"source: dci", "source: [dci]", "outpost.yml:20:5: jobs.source: a list, but a name is due\n"},
      {"source: dci", "reporter: dci",
       "outpost.yml:19:5: jobs: the key \"source\" is missing (the name of an entry of sources)\n"
       "outpost.yml:20:5: jobs: unknown key \"reporter\" (did you mean \"reporters\"?)\n"},
      {"topic: OCP-4.16", "topics: OCP-4.16",
       "outpost.yml:19:5: jobs: the key \"topic\" is missing (example: topic: OCP-4.16)\n"
       "outpost.yml:21:5: jobs: unknown key \"topics\" (did you mean \"topic\"?)\n"},
      {"topic: OCP-4.16", "topic: \"\"", "outpost.yml:21:5: jobs.topic: is empty (example: OCP-4.16)\n"},
      {"topic: OCP-4.16", "topic: [OCP-4.16]", "outpost.yml:21:5: jobs.topic: a list, but text is due\n"},
      {"topic: OCP-4.16", "topic: \"OCP\\x1b[31m\"",
       "outpost.yml:21:5: jobs.topic: \"OCP\\x1b[31m\" has a line break or another control byte in it\n"},
      {"components: [\"ocp?tags:build:nightly\", {type", "component: [\"ocp?tags:build:nightly\", {type",
       "outpost.yml:19:5: jobs: the key \"components\" is missing (example: components: [\"ocp?tags:build:nightly\"])\n"
       "outpost.yml:22:5: jobs: unknown key \"component\" (did you mean \"components\"?)\n"},
      {"components: [\"ocp?tags:build:nightly\", {type: ocp, ", "components: [\"\", {",
       "outpost.yml:22:18: jobs.components: a selection is due (example: \"ocp?tags:build:nightly\", or {type: ocp, "
       "tags: [...]})\n"
       "outpost.yml:22:22: jobs.components: a selection needs a type (example: {type: ocp})\n"},
      {"components: [\"ocp?tags:build:nightly\", {type: ocp, tags: [\"build:ga\"], max_age: 7d, latest: true}]",
       "components: ocp",
       "outpost.yml:22:5: jobs.components: a single value, but a list (example: [\"ocp?tags:build:nightly\"]) is "
       "due\n"},
      {"components: [\"ocp?tags:build:nightly\", {type: ocp, tags: [\"build:ga\"], max_age: 7d, latest: true}]",
       "components: []",
       "outpost.yml:19:5: jobs: the key \"components\" is missing (example: components: "
       "[\"ocp?tags:build:nightly\"])\n"},
      {"components: [\"ocp?tags:build:nightly\", {", "components: [[a], ~, {",
       "outpost.yml:22:18: jobs.components: a selection is due (example: \"ocp?tags:build:nightly\", or {type: ocp, "
       "tags: [...]})\n"
       "outpost.yml:22:23: jobs.components: a selection is due (example: \"ocp?tags:build:nightly\", or {type: ocp, "
       "tags: [...]})\n"},
      {"backlog: newest", "backlog: latest",
       "outpost.yml:23:5: jobs.backlog: \"latest\" is not one of newest, none and all\n"},
      {"backlog: newest", "backlog: nones",
       "outpost.yml:23:5: jobs.backlog: \"nones\" is not one of newest, none and all (did you mean \"none\"?)\n"},
      {"\"Sat,Sun\"]", "\"Sat,Sum\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat,Sum\": \"Sum\" is not a day (write Mon, Tue, Wed, Thu, Fri, Sat or "
       "Sun)\n"},
      {"\"Sat,Sun\"]", "\"Sat-Sun\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat-Sun\": \"Sat-Sun\" is not a range of days (write Sat..Sun)\n"},
      {"\"Sat,Sun\"]", "\"Sat 25:00-26:00\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat 25:00-26:00\": \"25:00-26:00\" are not times (example: 18:00-06:00)\n"},
      {"\"Sat,Sun\"]", "\"Sat 18:00-18:00\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat 18:00-18:00\": \"18:00-18:00\" opens and closes at once; for the whole "
       "day leave the times out\n"},
      {"\"Sat,Sun\"]", "\"Sat 6pm-8pm\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat 6pm-8pm\": \"6pm-8pm\" are not times (example: 18:00-06:00)\n"},
      {"\"Sat,Sun\"]", "\"22:00-04:00 Europe/Prag\"]",
       "outpost.yml:24:39: jobs.windows: \"22:00-04:00 Europe/Prag\": \"Europe/Prag\" is not a time zone of this "
       "machine (example: Europe/Prague)\n"},
      {"\"Sat,Sun\"]", "\"Sat 22:00-04:00 UTC please\"]",
       "outpost.yml:24:39: jobs.windows: \"Sat 22:00-04:00 UTC please\": \"please\" is too much for a window "
       "(examples: \"Mon..Fri 18:00-06:00\", \"Sat,Sun\", \"22:00-04:00 Europe/Prague\")\n"},
      {"\"Sat,Sun\"]", "\"\"]",
       "outpost.yml:24:39: jobs.windows: \"\": \"\" is not a window (examples: \"Mon..Fri 18:00-06:00\", \"Sat,Sun\", "
       "\"22:00-04:00 Europe/Prague\")\n"},
      {"windows: [\"Mon..Fri 18:00-06:00\", \"Sat,Sun\"]", "windows: Sat",
       "outpost.yml:24:5: jobs.windows: a single value, but a list (example: [\"Mon..Fri 18:00-06:00\"]) is due\n"},
      {"resources: [cluster4]", "resources: [cluster5]",
       "outpost.yml:25:17: jobs.resources: there is no resource \"cluster5\" (did you mean \"cluster4\"?)\n"},
      {"resources: [cluster4]", "resources: [cluster4, cluster4]",
       "outpost.yml:25:27: jobs.resources: \"cluster4\" is in the list twice\n"},
      {"resources: [cluster4]", "resources: cluster4",
       "outpost.yml:25:5: jobs.resources: a single value, but a list (example: [cluster4]) is due\n"},
      {"plugins: [acme-storage, rpm-certify]", "plugins: []",
       "outpost.yml:19:5: jobs: the key \"plugins\" is missing (folders of hooks to run, example: plugins: "
       "[acme-storage])\n"},
      {"plugins: [acme-storage, rpm-certify]", "plugins: [\"../evil\"]",
       "outpost.yml:26:15: jobs.plugins: \"../evil\" is not a name (letters, digits, '.', '_' and '-', at most 64)\n"},
      {"plugins: [acme-storage, rpm-certify]", "plugin: [acme-storage]",
       "outpost.yml:19:5: jobs: the key \"plugins\" is missing (folders of hooks to run, example: plugins: "
       "[acme-storage])\n"
       "outpost.yml:26:5: jobs: unknown key \"plugin\" (did you mean \"plugins\"?)\n"},
      {"reporters: [dci, events]", "reporters: [dci, event]",
       "outpost.yml:29:22: jobs.reporters: there is no source \"event\" (did you mean \"events\"?)\n"},
      {"tags: [nightly, \"4.16\"]", "tags: nightly",
       "outpost.yml:33:5: jobs.tags: a single value, but a list (example: [nightly]) is due\n"},
      {"tags: [nightly, \"4.16\"]", "tags: [nightly, \"\"]",
       "outpost.yml:33:21: jobs.tags: an empty text in the list\n"},
      {"tags: [nightly, \"4.16\"]", "tags: [nightly, {a: b}]",
       "outpost.yml:33:21: jobs.tags: a mapping, but text is due\n"},
      {"key_values: {workers: 3}", "key_values: {workers: three}",
       "outpost.yml:34:18: jobs.key_values.workers: \"three\" is not a number (example: 2.5)\n"},
      {"key_values: {workers: 3}", "key_values: [workers]",
       "outpost.yml:34:5: jobs.key_values: a list, but a mapping (example: {workers: 3}) is due\n"},
      {"comment: nightly run", "stage: nightly", "outpost.yml:31:5: jobs.stage: not supported yet; remove the key\n"},
      {"comment: nightly run", "after: [x]\n    inputs: {}\n    outputs: {}\n    fallback: x",
       "outpost.yml:31:5: jobs.after: not supported yet; remove the key\n"
       "outpost.yml:32:5: jobs.inputs: not supported yet; remove the key\n"
       "outpost.yml:33:5: jobs.outputs: not supported yet; remove the key\n"
       "outpost.yml:34:5: jobs.fallback: not supported yet; remove the key\n"},
      {"comment: nightly run", "timeout: 1h",
       "outpost.yml:31:5: the key \"timeout\" is written twice (first in line 27); remove one\n"},
      {"comment: nightly run", "\"quote\": 'x",
       "outpost.yml:57:1: not valid YAML: a quote is opened in line 30 or below and never closed\n"},
      {"comment: nightly run", "comment: nightly: run",
       "outpost.yml:31:21: not valid YAML: a key is not expected here (is the indentation right? text with \": \" in "
       "it needs quotes)\n"},
      {"comment: nightly run", "comment: @nightly",
       "outpost.yml:31:14: not valid YAML: text cannot start with this character (put it in quotes)\n"},
      {"comment: nightly run", "comment: !run nightly",
       "outpost.yml:31:14: YAML tags have no meaning here (remove !run)\n"},
      {"comment: nightly run", "comment: *nightly",
       "outpost.yml:31:14: not valid YAML: there is no anchor (&) of this name above\n"},
      {"comment: nightly run", "\tcomment: nightly run",
       "outpost.yml:31:5: a tab in the indentation; YAML takes only spaces\n"},
      {"name: acme-storage-nightly", "name: acme storage",
       "outpost.yml:19:5: jobs.name: \"acme storage\" is not a name (letters, digits, '.', '_' and '-', at most 64)\n"},
      {"name: acme-storage-nightly", "nam: acme-storage-nightly",
       "outpost.yml:19:5: jobs: the key \"name\" is missing (each job needs one)\n"
       "outpost.yml:19:5: jobs: unknown key \"nam\" (did you mean \"name\"?)\n"},
      {"name: from-bus", "name: acme-storage-nightly",
       "outpost.yml:36:5: jobs.name: \"acme-storage-nightly\" is the name of two jobs (first in line 19)\n"},
      {"- name: from-bus", "- from-bus",
       "outpost.yml:37:11: not valid YAML: a key is not expected here (is the indentation right? text with \": \" in "
       "it needs quotes)\n"},
      {"  - name: from-bus", "  name: from-bus",
       "outpost.yml:36:3: not valid YAML: the indentation fits no key above (or a quote before it is not closed)\n"},
      {"hosts: [10.0.0.4]", "host: [10.0.0.4]",
       "outpost.yml:39:24: resources.cluster4: unknown key \"host\" (did you mean \"hosts\"?)\n"},
      {"hosts: [10.0.0.4]", "hosts: 10.0.0.4",
       "outpost.yml:39:24: resources.cluster4.hosts: a single value, but a list (example: [10.0.0.4]) is due\n"},
      {"resources: {cluster4: {hosts: [10.0.0.4]}}", "resources: [cluster4]",
       "outpost.yml:25:17: jobs.resources: there is no resource \"cluster4\"\n"
       "outpost.yml:39:1: resources: a list, but a mapping (lines of \"key: value\") is due\n"},
      {"spool: {limit: 5GiB", "spool: {limit: 5 GB please",
       "outpost.yml:41:9: spool.limit: \"5 GB please\" is not a size (example: 5GiB)\n"},
      {"spool: {limit: 5GiB", "spool: {limit: 1KiB", "outpost.yml:41:9: spool.limit: \"1KiB\" is less than 1.0 MiB\n"},
      {"spool: {limit: 5GiB", "spool: {limits: 5GiB",
       "outpost.yml:41:9: spool: unknown key \"limits\" (did you mean \"limit\"?)\n"},
      {"bandwidth: 10MiB/s", "bandwidth: 10Mbit",
       "outpost.yml:41:40: spool.bandwidth: \"10Mbit\" is not a size (example: 5GiB)\n"},
      {"spool: {limit: 5GiB, artifacts: 20GiB, bandwidth: 10MiB/s}", "spool: 5GiB",
       "outpost.yml:41:1: spool: a single value, but a mapping (lines of \"key: value\") is due\n"},
      {"ratio: 50.5", "ratio: 0.5", "outpost.yml:45:44: downloads.unpack.ratio: 0.5 is too small\n"},
      {"ratio: 50.5", "ratio: much",
       "outpost.yml:45:44: downloads.unpack.ratio: \"much\" is not a number (example: 2.5)\n"},
      {"entries: 100000", "entries: 0",
       "outpost.yml:45:27: downloads.unpack.entries: 0 is not between 1 and 1000000000\n"},
      {"cache_limit: 0", "cache: 0",
       "outpost.yml:44:3: downloads: unknown key \"cache\" (did you mean \"cache_limit\"?)\n"},
      {"webhook: https://hooks.example.org/T0/B0?token=abc", "webhook: hooks.example.org/token=abc",
       "outpost.yml:47:3: alarms.webhook: the value (not shown: it may hold a secret) is not an address that starts "
       "with https:// or http://\n"},
      {"command: [mail, -s, outpost, root]", "command: mail root",
       "outpost.yml:48:3: alarms.command: a single value, but a list (example: [mail, root]) is due\n"},
      {"no_component_after: 14d", "no_component_after: 14",
       "outpost.yml:49:3: alarms.no_component_after: \"14\" has no unit (write 14s, 14min, 14h or 14d)\n"},
      {"step_limit: 200MiB", "cap: 200MiB", "outpost.yml:50:8: logs: unknown key \"cap\" (known keys: step_limit, segment_size, segment_age, live_first, live_longest, live_pieces)\n"},
      {"step_limit: 200MiB", "live_longest: 1s", "outpost.yml:50:8: logs.live_longest: is shorter than live_first\n"},
      {"bmc4: {file: /etc/outpost/bmc4}", "bmc4: {file: /a, credential: b}",
       "outpost.yml:52:3: secrets.bmc4: either file or credential is due\n"},
      {"bmc4: {file: /etc/outpost/bmc4}", "bmc4: {}",
       "outpost.yml:52:3: secrets.bmc4: either file or credential is due\n"},
      {"bmc4: {file: /etc/outpost/bmc4}", "bmc4: hunter2",
       "outpost.yml:52:3: secrets.bmc4: a single value, but a mapping (lines of \"key: value\") is due\n"},
      {"registry: {credential: registry}", "registry: {credential: ../x}",
       "outpost.yml:53:14: secrets.registry.credential: \"../x\" is not a name (letters, digits, '.', '_' and '-', at "
       "most 64)\n"},
      {"plugins_path: [plugins, /usr/share/outpost/plugins]", "plugins_path: plugins",
       "outpost.yml:54:1: plugins_path: a single value, but a list (example: [/etc/outpost/plugins.d]) is due\n"},
      {"state_directory: /var/lib/outpost", "state_directory: \"\"",
       "outpost.yml:55:1: state_directory: \"\" is not a path (~ and $ are not expanded: write the whole path)\n"},
      {"runtime_directory: /run/outpost", "runtime_dir: /run/outpost",
       "outpost.yml:56:1: unknown key \"runtime_dir\" (did you mean \"runtime_directory\"?)\n"},
      {"runtime_directory: /run/outpost", "runtime_directory: /run/outpost\n---\na: 1",
       "outpost.yml:57:1: a second YAML document; one file holds one (remove the line ---)\n"},
  };
  return all;
}

std::string mutated(const Mutation& mutation) {
  std::string text = good_file;
  const auto at = text.find(mutation.from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, mutation.from.size(), mutation.to);
}

}  // namespace

TEST_CASE("every mistake in a good file is told with its line, its column and what to do") {
  REQUIRE(problems_of(good_file) == "");
  for (const auto& mutation : mutations()) {
    INFO("\"" << mutation.from << "\" became \"" << mutation.to << "\"");
    CHECK(problems_of(mutated(mutation)) == mutation.expected);
  }
}

TEST_CASE("the table of mistakes has no row twice") {
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& mutation : mutations()) CHECK(seen.emplace(mutation.from, mutation.to).second);
  CHECK(seen.size() >= 60);
}

TEST_CASE("no message shows what may be a secret") {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"proxy: http://user:secret@proxy.example.org:3128", "proxy: hunter2@proxy"},
           {"webhook: https://hooks.example.org/T0/B0?token=abc", "webhook: hooks/hunter2"},
           {"url: https://api.example.org/", "url: https://bob:hunter2@api.example.org"},
           {"bmc4: {file: /etc/outpost/bmc4}", "bmc4: hunter2"}}) {
    const std::string problems = problems_of(mutated({from, to, ""}));
    CHECK(problems != "");
    CHECK(problems.find("hunter2") == std::string::npos);
  }
}
