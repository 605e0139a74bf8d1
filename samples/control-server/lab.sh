# shellcheck shell=bash
# What a script does with the sample control server: samples/quickstart and tests/system read this. Who does sets
#   url     where the server is                 work    a directory for what is made on the way
#   topic   and remoteci: new_lab does          fail()  says why it cannot go on, and ends
lab_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The sample server's first user; a real one has an administrator of its own.
admin() { curl -sS --fail-with-body -u admin:admin "$@"; }
post() { admin -H 'Content-Type: application/json' -X POST "$url/api/v1/$1" -d "$2"; }

# new_lab NAME: a team, a product with a topic, and the team's remoteci.
new_lab() {
  local team product
  team=$(post teams "{\"name\": \"$1-lab\", \"country\": \"CZ\"}" | jq -er .team.id)
  product=$(post products '{"name": "ACME", "label": "ACME", "description": "A storage product"}' | jq -er .product.id)
  post "products/$product/teams" "{\"team_id\": \"$team\"}" >/dev/null
  topic=$(post topics "{\"name\": \"ACME-1\", \"component_types\": [\"acme-storage\"], \"product_id\": \"$product\", \"export_control\": true}" | jq -er .topic.id)
  remoteci=$(post remotecis "{\"name\": \"$1-remoteci\", \"team_id\": \"$team\"}")
}

# The remoteci's credentials, in the form in which a control server's page offers them.
dcirc() {
  cat <<END
DCI_CLIENT_ID='remoteci/$(jq -er .remoteci.id <<<"$remoteci")'
DCI_API_SECRET='$(jq -er .remoteci.api_secret <<<"$remoteci")'
DCI_CS_URL='$url'
export DCI_CLIENT_ID DCI_API_SECRET DCI_CS_URL
END
}

# feed VERSION: builds the sample component and publishes it, as the product maker's pipeline does.
feed() {
  local version=$1 dir=$work/component-$1 id file etag
  "$lab_root/samples/components/build" "$version" "$dir" >"$work/component-$version.log" 2>&1 || { cat "$work/component-$version.log" >&2; fail "the component could not be built"; }
  "$lab_root/samples/components/files-list" "$dir" >>"$work/component-$version.log" 2>&1
  # Published inactive first: nobody may see a component before its files are there.
  id=$(post components "{\"display_name\": \"ACME Storage $version\", \"version\": \"$version\", \"type\": \"acme-storage\",
    \"topic_id\": \"$topic\", \"tags\": [\"build:candidate\"], \"state\": \"inactive\"}" | jq -er .component.id)
  while read -r file; do
    admin -X PUT -T "$dir/$file" "$url/object-store/dci-components/$id/$file" >/dev/null
  done < <(cd "$dir" && find . -type f -printf '%P\n')
  etag=$(admin "$url/api/v1/components/$id" | jq -er .component.etag)
  admin -H 'Content-Type: application/json' -H "If-match: $etag" -X PUT "$url/api/v1/components/$id" -d '{"state": "active"}' >/dev/null
  echo "component ACME Storage $version: $(cd "$dir" && du -sh . | cut -f1) in $(find "$dir" -type f | wc -l) files"
}

# The job that runs component VERSION, as the server knows it; empty until it has one.
job_of() { admin "$url/api/v1/jobs?limit=50&offset=0" | jq -er --arg name "ACME Storage $1" '[.jobs[] | select(any(.components[]; .display_name == $name))][0].id // empty'; }
job_status() { admin "$url/api/v1/jobs/$1" | jq -er .job.status; }
is_final() { admin "$url/api/v1/jobs/$1" | jq -e '.job.status | IN("success", "failure", "error", "killed")'; }
states_of() { admin "$url/api/v1/jobs/$1/jobstates?sort=created_at&limit=50&offset=0" | jq -er '[.jobstates[].status] | join(" ")'; }
results_of() { admin "$url/api/v1/jobs/$1/results" | jq -e '.results | length'; }

# show JOB: what the server holds of it.
show() {
  local job=$url/api/v1/jobs/$1
  admin "$job" | jq -r '.job | "job \(.id)\n  name \(.name), topic \(.topic.name), component \(.components[0].display_name)\n  tags \(.tags | join(" "))"'
  echo "  states"
  admin "$job/jobstates?sort=created_at&limit=50&offset=0" | jq -r '.jobstates[] | "    \(.created_at[11:23])  \(.status | .[0:8] | . + " " * (9 - length)) \(.comment // "")"'
  echo "  tests"
  admin "$job/results" | jq -r '.results[] | "    \(.name): \(.total) cases, \(.success) passed, \(.failures + .errors) failed, \(.skips) skipped" + (if .regressions > 0 then ", \(.regressions) regressions" else "" end)'
  echo "  files"
  admin "$job/files?limit=200&offset=0&sort=created_at" | jq -r '.files[] | "    \(.name)  \(.size) bytes  \(.mime)"'
  echo "  measured"
  admin "$job" | jq -r '.job.keys_values[] | "    \(.key) = \(.value)"'
  admin "$job" | jq -r '"  verdict: \(.job.status)"'
}
