#!/bin/sh
# Install a Postfix and swaks from Debian for the test that sends real mail through the filter.
# It configures no mail system of this machine's own and starts none.
set -eu
command -v postfix >/dev/null && command -v swaks >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
apt-get update -qq
apt-get install -y -qq --no-install-recommends postfix swaks
