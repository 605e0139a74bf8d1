#!/bin/bash
# kerberos_realm.sh DIR PORT: makes a Kerberos realm OUTPOST.TEST in DIR (krb5.conf; the keytabs client.keytab of tester and
# server.keytab of HTTP/builder.example.org), and becomes its server, on PORT of loopback. DIR/pid is there once it serves.
set -euo pipefail
dir=$1 port=$2
cat >"$dir/krb5.conf" <<END
[libdefaults]
  default_realm = OUTPOST.TEST
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  OUTPOST.TEST = {
    kdc = 127.0.0.1:$port
  }
[domain_realm]
  builder.example.org = OUTPOST.TEST
END
cat >"$dir/kdc.conf" <<END
[kdcdefaults]
  kdc_listen = 127.0.0.1:$port
  kdc_tcp_listen = 127.0.0.1:$port
[realms]
  OUTPOST.TEST = {
    database_name = $dir/principal
    key_stash_file = $dir/stash
    acl_file = $dir/acl
  }
END
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc.conf PATH=$PATH:/usr/sbin
kdb5_util create -s -r OUTPOST.TEST -P throw-away
kadmin.local -q "addprinc -randkey tester"
kadmin.local -q "addprinc -randkey HTTP/builder.example.org"
kadmin.local -q "ktadd -k $dir/client.keytab tester"
kadmin.local -q "ktadd -k $dir/server.keytab HTTP/builder.example.org"
chmod 0600 "$dir"/*.keytab
exec krb5kdc -n -r OUTPOST.TEST -P "$dir/pid"
