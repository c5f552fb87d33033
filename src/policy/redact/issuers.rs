//! Issuers of tokens and what their tokens look like, as they document it.
//!
//! Invariant: data. A row says where its shapes were taken from; those without an
//! address of their issuer are from the list that GitHub's secret scanning supports.

/// Who issues tokens that look like one of `shapes`, and where that is said.
pub(super) struct Issuer {
    pub(super) rule: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for whoever checks the row"))]
    pub(super) source: &'static str,
    pub(super) shapes: &'static [Shape],
}

/// How a token begins, and how many characters follow, and which.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    pub(super) least: usize,
    pub(super) most: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Capitals and digits.
    Upper,
    /// Digits of hexadecimal numbers, not in capitals.
    Hex,
    Alnum,
    /// Of base64 in URLs.
    Base64,
    /// The same with dots, slashes, pluses and signs of equality.
    Path,
    /// Hexadecimal with dashes.
    Uuid,
    Digit,
    /// Whatever has no space.
    Any,
}

impl Alphabet {
    pub(super) fn has(self, byte: u8) -> bool {
        let is_base64 = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Base64 => is_base64,
            Self::Path => is_base64 || matches!(byte, b'.' | b'=' | b'/' | b'+' | b'@' | b':'),
            Self::Digit => byte.is_ascii_digit(),
            Self::Any => byte.is_ascii_graphic() && !b"\"'`<>,;()&".contains(&byte),
            Self::Uuid => byte.is_ascii_hexdigit() || byte == b'-',
        }
    }

    pub(super) fn has_one_case(self) -> bool {
        matches!(self, Self::Upper | Self::Hex | Self::Uuid | Self::Digit)
    }
}

use Alphabet::{Alnum, Any, Base64, Digit, Hex, Path, Upper, Uuid};

const fn of(prefix: &'static str, alphabet: Alphabet, least: usize, most: usize) -> Shape {
    Shape { prefix, alphabet, least, most }
}

/// So many characters and no more.
const fn just(prefix: &'static str, alphabet: Alphabet, length: usize) -> Shape {
    of(prefix, alphabet, length, length)
}

/// At least so many characters.
const fn from(prefix: &'static str, alphabet: Alphabet, least: usize) -> Shape {
    of(prefix, alphabet, least, MOST)
}

/// Longer than any text.
const MOST: usize = usize::MAX - 1;

const GITHUB_LIST: &str = "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns";

#[rustfmt::skip]
pub(super) const ISSUERS: &[Issuer] = &[
    Issuer { rule: "aws", source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
        shapes: &[just("AKIA", Upper, 16), just("ASIA", Upper, 16), just("ABIA", Upper, 16), just("ACCA", Upper, 16), from("ABSK", Path, 40), from("bedrock-api-key-", Path, 40), from("FwoGZXIvYXdz", Path, 40), from("IQoJb3JpZ2lu", Path, 40)] },
    Issuer { rule: "google", source: "https://cloud.google.com/docs/authentication/api-keys",
        shapes: &[just("AIza", Base64, 35), from("ya29.", Path, 20), from("GOCSPX-", Base64, 20), from("1//0", Base64, 30), from("6L", Base64, 38)] },
    Issuer { rule: "github", source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
        shapes: &[from("ghp_", Alnum, 30), from("gho_", Alnum, 30), from("ghu_", Alnum, 30), from("ghs_", Path, 30), from("ghr_", Alnum, 30), from("github_pat_", Base64, 22)] },
    Issuer { rule: "gitlab", source: "https://docs.gitlab.com/security/tokens/#token-prefixes",
        shapes: &[from("glpat-", Path, 20), from("gldt-", Base64, 20), from("glrt-", Path, 20), from("glcbt-", Base64, 20), from("glptt-", Base64, 20), from("glsoat-", Base64, 20),
            from("gloas-", Base64, 20), from("glft-", Base64, 20), from("glagent-", Base64, 20), from("glimt-", Base64, 20), from("glffct-", Base64, 20), from("GR1348941", Base64, 20), from("glrtr-", Base64, 20), from("glwt-", Base64, 20)] },
    Issuer { rule: "slack", source: "https://api.slack.com/concepts/token-types",
        shapes: &[from("xoxb-", Base64, 20), from("xoxp-", Base64, 20), from("xoxa-", Base64, 20), from("xoxr-", Base64, 20), from("xoxs-", Base64, 20), from("xoxc-", Base64, 20), from("xoxd-", Path, 20), from("xoxe-", Path, 20),
            from("xoxe.", Path, 20), from("xapp-", Base64, 20), from("xwfp-", Base64, 20), from("hooks.slack.com/services/", Path, 20), from("hooks.slack.com/workflows/", Path, 20), from("hooks.slack.com/triggers/", Path, 20)] },
    Issuer { rule: "discord", source: "https://discord.com/developers/docs/resources/webhook",
        shapes: &[from("discord.com/api/webhooks/", Path, 40), from("discordapp.com/api/webhooks/", Path, 40), from("discord.com/api/v", Path, 50)] },
    Issuer { rule: "teams", source: "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
        shapes: &[from("webhook.office.com/webhookb2/", Path, 40), from("outlook.office.com/webhook/", Path, 40), from("webhookb2/", Path, 40)] },
    Issuer { rule: "webhook", source: "https://docs.zapier.com, https://ifttt.com/maker_webhooks, https://healthchecks.io/docs, https://developer.pagerduty.com/docs",
        shapes: &[from("hooks.zapier.com/hooks/catch/", Path, 10), from("maker.ifttt.com/trigger/", Path, 20), just("hc-ping.com/", Uuid, 36), from("events.pagerduty.com/integration/", Path, 20), from("api.opsgenie.com/v1/json/", Path, 20),
            from("hook.integromat.com/", Base64, 20), from("hooks.make.com/", Base64, 20), from("open.feishu.cn/open-apis/bot/v2/hook/", Uuid, 20), from("webhook.site/", Uuid, 36), from("cronitor.link/p/", Path, 20), from("mattermost.com/hooks/", Alnum, 20)] },
    Issuer { rule: "stripe", source: "https://docs.stripe.com/keys",
        shapes: &[from("sk_live_", Alnum, 16), from("sk_test_", Alnum, 16), from("rk_live_", Alnum, 16), from("rk_test_", Alnum, 16), from("whsec_", Path, 20)] },
    Issuer { rule: "twilio", source: "https://www.twilio.com/docs/iam/api-keys", shapes: &[just("SK", Hex, 32)] },
    Issuer { rule: "sendgrid", source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys", shapes: &[from("SG.", Path, 40)] },
    Issuer { rule: "mailgun", source: "https://documentation.mailgun.com/docs/mailgun/api-reference/mg-auth", shapes: &[just("key-", Hex, 32)] },
    Issuer { rule: "mailchimp", source: "https://mailchimp.com/developer/marketing/guides/quick-start", shapes: &[from("md-", Base64, 22)] },
    Issuer { rule: "brevo", source: "https://developers.brevo.com/docs/getting-started", shapes: &[from("xkeysib-", Base64, 40), from("xsmtpsib-", Base64, 40)] },
    Issuer { rule: "resend", source: "https://resend.com/docs/api-reference/introduction", shapes: &[from("re_", Base64, 24)] },
    Issuer { rule: "api_key", source: "https://platform.openai.com/docs, https://docs.anthropic.com/en/api, https://console.groq.com/docs, https://docs.x.ai, https://docs.perplexity.ai, https://replicate.com/docs, https://openrouter.ai/docs",
        shapes: &[from("sk-ant-", Base64, 20), from("sk-proj-", Base64, 20), from("sk-svcacct-", Base64, 20), from("sk-or-v1-", Hex, 40), from("sk-helicone-", Base64, 20), of("sk-", Base64, 20, 200), from("gsk_", Alnum, 40), from("xai-", Alnum, 40), from("pplx-", Alnum, 32), from("r8_", Alnum, 32), from("fw_", Alnum, 20), from("nvapi-", Base64, 40), from("csk-", Alnum, 40), from("tgp_v1_", Base64, 30), from("pcsk_", Base64, 30), from("jina_", Base64, 40), from("fc-", Hex, 32), from("tvly-", Base64, 24), from("lsv2_", Base64, 30), from("ls__", Hex, 32), from("pk-lf-", Uuid, 36), from("sk-lf-", Uuid, 36)] },
    Issuer { rule: "npm", source: "https://docs.npmjs.com/about-access-tokens", shapes: &[just("npm_", Alnum, 36)] },
    Issuer { rule: "crates_io", source: "https://doc.rust-lang.org/cargo/reference/registry-authentication.html", shapes: &[just("cio", Alnum, 32)] },
    Issuer { rule: "pypi", source: "https://pypi.org/help/#apitoken", shapes: &[from("pypi-", Base64, 50)] },
    Issuer { rule: "ruby", source: "https://guides.rubygems.org/api-key-scopes", shapes: &[from("rubygems_", Hex, 48)] },
    Issuer { rule: "nuget", source: GITHUB_LIST, shapes: &[from("oy2", Alnum, 40)] },
    Issuer { rule: "docker", source: "https://docs.docker.com/security/for-developers/access-tokens", shapes: &[from("dckr_pat_", Base64, 20), from("dckr_oat_", Base64, 20)] },
    Issuer { rule: "hugging_face", source: "https://huggingface.co/docs/hub/security-tokens", shapes: &[from("hf_", Alnum, 30), from("api_org_", Alnum, 30)] },
    Issuer { rule: "shopify", source: "https://shopify.dev/docs/apps/build/authentication-authorization", shapes: &[just("shpat_", Hex, 32), just("shpss_", Hex, 32), just("shpca_", Hex, 32), just("shppa_", Hex, 32)] },
    Issuer { rule: "digitalocean", source: "https://docs.digitalocean.com/reference/api/create-personal-access-token", shapes: &[just("dop_v1_", Hex, 64), just("doo_v1_", Hex, 64), just("dor_v1_", Hex, 64)] },
    Issuer { rule: "vault", source: "https://developer.hashicorp.com/vault/docs/concepts/tokens", shapes: &[from("hvs.", Base64, 20), from("hvb.", Base64, 20), from("hvr.", Base64, 20), just("s.", Alnum, 24), just("b.", Alnum, 24)] },
    Issuer { rule: "terraform", source: "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens", shapes: &[] },
    Issuer { rule: "databricks", source: "https://docs.databricks.com/dev-tools/auth/pat.html", shapes: &[just("dapi", Hex, 32), from("dose", Hex, 32)] },
    Issuer { rule: "linear", source: "https://developers.linear.app/docs", shapes: &[from("lin_api_", Alnum, 32), from("lin_oauth_", Hex, 32), from("lin_wh_", Alnum, 32)] },
    Issuer { rule: "grafana", source: "https://grafana.com/docs/grafana/latest/administration/service-accounts", shapes: &[from("glsa_", Base64, 32), from("glc_", Path, 32), from("eyJrIjoi", Path, 30)] },
    Issuer { rule: "atlassian", source: "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens", shapes: &[from("ATATT3", Path, 40), from("ATCTT3", Path, 40), from("ATSTT3", Path, 40), from("ATBB", Alnum, 20), from("BBDC-", Base64, 30)] },
    Issuer { rule: "square", source: "https://developer.squareup.com/docs/build-basics/access-tokens", shapes: &[just("sq0atp-", Base64, 22), just("sq0csp-", Base64, 43), from("EAAA", Base64, 50)] },
    Issuer { rule: "age", source: "https://github.com/C2SP/C2SP/blob/main/age.md", shapes: &[just("AGE-SECRET-KEY-1", Upper, 58), from("AGE-PLUGIN-", Upper, 20), from("AGE-SECRET-KEY-PQ-1", Upper, 58)] },
    Issuer { rule: "newrelic", source: "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys", shapes: &[from("NRAK-", Upper, 20), from("NRII-", Base64, 20), from("NRJS-", Hex, 16), from("NRAA-", Hex, 20), from("NRAL", Alnum, 32), from("NRRA-", Hex, 30)] },
    Issuer { rule: "datadog", source: "https://docs.datadoghq.com/account_management/api-app-keys", shapes: &[from("ddapp_", Base64, 30), from("ddp_", Alnum, 30), from("pub", Hex, 32)] },
    Issuer { rule: "notion", source: "https://developers.notion.com/docs/authorization", shapes: &[from("ntn_", Alnum, 40), from("secret_", Alnum, 40)] },
    Issuer { rule: "planetscale", source: "https://planetscale.com/docs/concepts/connection-strings", shapes: &[from("pscale_tkn_", Path, 30), from("pscale_pw_", Path, 30), from("pscale_oauth_", Path, 30)] },
    Issuer { rule: "postman", source: "https://learning.postman.com/docs/developer/postman-api/authentication", shapes: &[from("PMAK-", Base64, 30), from("PMAT-", Alnum, 26)] },
    Issuer { rule: "supabase", source: "https://supabase.com/docs/guides/api/api-keys", shapes: &[from("sbp_", Alnum, 32), from("sb_secret_", Base64, 20), from("sbs_", Alnum, 32)] },
    Issuer { rule: "tailscale", source: "https://tailscale.com/kb/1085/auth-keys", shapes: &[from("tskey-", Base64, 16)] },
    Issuer { rule: "figma", source: "https://www.figma.com/developers/api#authentication", shapes: &[from("figd_", Base64, 30), from("figo_", Base64, 30)] },
    Issuer { rule: "heroku", source: "https://devcenter.heroku.com/articles/authentication", shapes: &[from("HRKU-", Base64, 30)] },
    Issuer { rule: "fly", source: "https://fly.io/docs/security/tokens", shapes: &[from("FlyV1 fm", Path, 30), from("fo1_", Base64, 30), from("fm1r_", Path, 30), from("fm2_", Path, 30), from("fm1a_", Path, 30)] },
    Issuer { rule: "cloudflare", source: "https://developers.cloudflare.com/fundamentals/api", shapes: &[from("v1.0-", Base64, 100), from("cfut_", Base64, 30), from("cfat_", Base64, 30), from("cfk_", Base64, 30)] },
    Issuer { rule: "render", source: "https://api-docs.render.com/reference/authentication", shapes: &[from("rnd_", Alnum, 24)] },
    Issuer { rule: "netlify", source: "https://docs.netlify.com/api/get-started", shapes: &[from("nfp_", Alnum, 30), from("nfc_", Alnum, 30), from("nfo_", Alnum, 30)] },
    Issuer { rule: "vercel", source: "https://vercel.com/docs/rest-api", shapes: &[from("vcp_", Alnum, 30), from("vci_", Alnum, 30), from("vca_", Alnum, 30), from("vercel_blob_rw_", Base64, 20)] },
    Issuer { rule: "pulumi", source: "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens", shapes: &[just("pul-", Hex, 40)] },
    Issuer { rule: "doppler", source: "https://docs.doppler.com/reference/auth-token-formats", shapes: &[from("dp.pt.", Alnum, 40), from("dp.st.", Path, 40), from("dp.ct.", Alnum, 40), from("dp.sa.", Alnum, 40), from("dp.scim.", Alnum, 40), from("dp.audit.", Alnum, 40)] },
    Issuer { rule: "1password", source: "https://developer.1password.com/docs/service-accounts", shapes: &[from("ops_", Path, 100), of("A3-", Base64, 6, 40)] },
    Issuer { rule: "sentry", source: "https://docs.sentry.io/account/auth-tokens", shapes: &[from("sntrys_", Path, 40), just("sntryu_", Hex, 64), from("sntrya_", Hex, 40), from("sntryi_", Hex, 40)] },
    Issuer { rule: "circleci", source: "https://circleci.com/docs/managing-api-tokens", shapes: &[from("CCIPAT_", Base64, 40), from("CCIPRJ_", Base64, 40)] },
    Issuer { rule: "buildkite", source: "https://buildkite.com/docs/apis/managing-api-tokens", shapes: &[just("bkua_", Hex, 40), from("bkct_", Alnum, 30), from("bkaj_", Path, 30)] },
    Issuer { rule: "sonar", source: "https://docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens", shapes: &[just("squ_", Hex, 40), just("sqp_", Hex, 40), just("sqa_", Hex, 40)] },
    Issuer { rule: "jfrog", source: "https://jfrog.com/help/r/jfrog-platform-administration-documentation/access-tokens", shapes: &[just("AKCp", Alnum, 69), from("cmVmdGtu", Alnum, 40)] },
    Issuer { rule: "azure", source: "https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate", shapes: &[] },
    Issuer { rule: "dynatrace", source: "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients/access-tokens", shapes: &[from("dt0c01.", Path, 80), from("dt0s01.", Path, 80), from("dt0s02.", Path, 80), from("dt0s16.", Path, 80)] },
    Issuer { rule: "honeycomb", source: "https://docs.honeycomb.io/configure/environments/manage-api-keys", shapes: &[from("hcaik_", Alnum, 40), from("hcbik_", Alnum, 40), from("hcxik_", Alnum, 40), from("hcamk_", Alnum, 40)] },
    Issuer { rule: "posthog", source: "https://posthog.com/docs/api", shapes: &[from("phx_", Alnum, 30), from("phs_", Alnum, 30)] },
    Issuer { rule: "airtable", source: "https://airtable.com/developers/web/guides/personal-access-tokens", shapes: &[from("pat", Path, 78)] },
    Issuer { rule: "asana", source: "https://developers.asana.com/docs/personal-access-token", shapes: &[] },
    Issuer { rule: "contentful", source: "https://www.contentful.com/developers/docs/references/authentication", shapes: &[from("CFPAT-", Base64, 40)] },
    Issuer { rule: "dropbox", source: "https://developers.dropbox.com/oauth-guide", shapes: &[from("sl.", Base64, 100), from("sl.u.", Base64, 100)] },
    Issuer { rule: "facebook", source: "https://developers.facebook.com/docs/facebook-login/guides/access-tokens", shapes: &[from("EAAC", Alnum, 60), from("EAAB", Alnum, 60), from("EAAG", Alnum, 60), from("EAA", Alnum, 100), from("IGQV", Base64, 60)] },
    Issuer { rule: "twitter", source: "https://developer.x.com/en/docs/authentication", shapes: &[from("AAAAAAAAAAAAAAAAAAAAA", Path, 40)] },
    Issuer { rule: "hubspot", source: "https://developers.hubspot.com/docs/api/private-apps", shapes: &[from("pat-na1-", Uuid, 36), from("pat-eu1-", Uuid, 36)] },
    Issuer { rule: "intercom", source: "https://developers.intercom.com/docs/build-an-integration", shapes: &[from("dG9rO", Path, 40)] },
    Issuer { rule: "mapbox", source: "https://docs.mapbox.com/help/getting-started/access-tokens", shapes: &[from("sk.eyJ", Path, 40), from("tk.eyJ", Path, 40)] },
    Issuer { rule: "paypal", source: "https://developer.paypal.com/api/rest/authentication", shapes: &[from("access_token$production$", Any, 30), from("access_token$sandbox$", Any, 30), from("A21AA", Base64, 60)] },
    Issuer { rule: "razorpay", source: "https://razorpay.com/docs/api/authentication", shapes: &[just("rzp_live_", Alnum, 14), just("rzp_test_", Alnum, 14)] },
    Issuer { rule: "adyen", source: "https://docs.adyen.com/development-resources/api-credentials", shapes: &[from("AQE", Path, 60)] },
    Issuer { rule: "typeform", source: "https://www.typeform.com/developers/get-started/personal-access-token", shapes: &[from("tfp_", Path, 40)] },
    Issuer { rule: "frameio", source: GITHUB_LIST, shapes: &[from("fio-u-", Base64, 40)] },
    Issuer { rule: "readme", source: GITHUB_LIST, shapes: &[just("rdme_", Alnum, 70)] },
    Issuer { rule: "easypost", source: GITHUB_LIST, shapes: &[from("EZAK", Alnum, 50), from("EZTK", Alnum, 50)] },
    Issuer { rule: "shippo", source: GITHUB_LIST, shapes: &[from("shippo_live_", Hex, 40), from("shippo_test_", Hex, 40)] },
    Issuer { rule: "prefect", source: GITHUB_LIST, shapes: &[from("pnu_", Alnum, 36), from("pnb_", Alnum, 36)] },
    Issuer { rule: "clojars", source: GITHUB_LIST, shapes: &[just("CLOJARS_", Hex, 60)] },
    Issuer { rule: "defined", source: GITHUB_LIST, shapes: &[from("dnkey-", Base64, 40)] },
    Issuer { rule: "telegram", source: "https://core.telegram.org/bots/api#authorizing-your-bot", shapes: &[] },
    Issuer { rule: "line", source: GITHUB_LIST, shapes: &[] },
    Issuer { rule: "yandex", source: GITHUB_LIST, shapes: &[from("AQVN", Base64, 35), from("y0_", Base64, 50), from("t1.", Path, 80), from("YCAJE", Base64, 20), from("YCM", Base64, 36), from("YCO", Base64, 36)] },
    Issuer { rule: "alibaba", source: GITHUB_LIST, shapes: &[of("LTAI", Alnum, 12, 24)] },
    Issuer { rule: "tencent", source: GITHUB_LIST, shapes: &[just("AKID", Alnum, 32)] },
    Issuer { rule: "zuplo", source: GITHUB_LIST, shapes: &[from("zpka_", Base64, 30)] },
    Issuer { rule: "snyk", source: "https://docs.snyk.io/snyk-api/authentication-for-api", shapes: &[from("snyk_uat.", Path, 30), from("snyk_sat.", Path, 30)] },
    Issuer { rule: "sourcegraph", source: "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token", shapes: &[from("sgp_", Base64, 40), from("slk_", Hex, 60), from("sgd_", Hex, 60)] },
    Issuer { rule: "matrix", source: "https://spec.matrix.org/latest/client-server-api", shapes: &[from("syt_", Base64, 20), from("mct_", Base64, 20), from("mat_", Base64, 20)] },
    Issuer { rule: "ntfy", source: "https://docs.ntfy.sh/config/#access-tokens", shapes: &[just("tk_", Alnum, 29)] },
    Issuer { rule: "mollie", source: "https://docs.mollie.com/reference/authentication", shapes: &[from("live_", Base64, 30), from("test_", Base64, 30)] },
    Issuer { rule: "duffel", source: "https://duffel.com/docs/api/overview/welcome", shapes: &[from("duffel_live_", Base64, 30), from("duffel_test_", Base64, 30)] },
    Issuer { rule: "plaid", source: "https://plaid.com/docs/api/tokens", shapes: &[just("access-production-", Uuid, 36), just("access-sandbox-", Uuid, 36), just("access-development-", Uuid, 36), just("public-sandbox-", Uuid, 36), just("public-production-", Uuid, 36), just("public-development-", Uuid, 36)] },
    Issuer { rule: "paddle", source: "https://developer.paddle.com/api-reference/about/api-keys", shapes: &[from("pdl_", Base64, 40)] },
    Issuer { rule: "stytch", source: "https://stytch.com/docs/api", shapes: &[from("secret-live-", Path, 30), from("secret-test-", Path, 30)] },
    Issuer { rule: "boundary", source: "https://developer.hashicorp.com/boundary/docs", shapes: &[from("at_", Base64, 60)] },
    Issuer { rule: "openshift", source: "https://docs.openshift.com/container-platform/latest/authentication", shapes: &[from("sha256~", Base64, 40)] },
    Issuer { rule: "k3s", source: "https://docs.k3s.io/cli/token", shapes: &[from("K10", Path, 60)] },
    Issuer { rule: "axiom", source: "https://axiom.co/docs/reference/tokens", shapes: &[just("xaat-", Uuid, 36), just("xapt-", Uuid, 36)] },
    Issuer { rule: "trello", source: "https://support.atlassian.com/trello", shapes: &[from("ATTA", Alnum, 60)] },
    Issuer { rule: "okta", source: "https://developer.okta.com/docs/guides/create-an-api-token", shapes: &[just("00", Base64, 40)] },
    Issuer { rule: "lichess", source: "https://lichess.org/api", shapes: &[from("lip_", Alnum, 16), from("lio_", Alnum, 20)] },
    Issuer { rule: "elevenlabs", source: "https://elevenlabs.io/docs/api-reference/authentication", shapes: &[just("sk_", Hex, 48)] },
    Issuer { rule: "dbt", source: "https://docs.getdbt.com/docs/dbt-cloud-apis/authentication", shapes: &[from("dbtc_", Base64, 36), from("dbtu_", Base64, 36)] },
    Issuer { rule: "adafruit", source: "https://io.adafruit.com/api/docs", shapes: &[just("aio_", Alnum, 28)] },
    Issuer { rule: "klaviyo", source: "https://developers.klaviyo.com/en/docs/authenticate_", shapes: &[just("pk_", Hex, 34)] },
    Issuer { rule: "bitcoin", source: "https://en.bitcoin.it/wiki/Wallet_import_format, https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki",
        shapes: &[just("5H", Alnum, 49), just("5J", Alnum, 49), just("5K", Alnum, 49), of("K", Alnum, 51, 51), of("L", Alnum, 51, 51), from("xprv", Alnum, 100), from("yprv", Alnum, 100), from("zprv", Alnum, 100), from("tprv", Alnum, 100)] },
    Issuer { rule: "nostr", source: "https://github.com/nostr-protocol/nips/blob/master/19.md", shapes: &[just("nsec1", Alnum, 58)] },
    Issuer { rule: "minisign", source: "https://jedisct1.github.io/minisign, https://man.openbsd.org/signify", shapes: &[from("RWRTY0Iy", Path, 40), from("RWRCSw", Path, 40)] },
    Issuer { rule: "ssh", source: "https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key", shapes: &[from("b3BlbnNzaC1rZXktdjE", Path, 40)] },
    Issuer { rule: "pem", source: "https://www.rfc-editor.org/rfc/rfc7468", shapes: &[from("LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt", Path, 20), from("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0t", Path, 20), from("LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS", Path, 20), from("LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUg", Path, 20)] },
    Issuer { rule: "private_key", source: "https://www.rfc-editor.org/rfc/rfc5208, https://www.rfc-editor.org/rfc/rfc5915, https://www.rfc-editor.org/rfc/rfc8410, https://docs.oracle.com/javase/8/docs/technotes/guides/security/crypto/CryptoSpec.html",
        shapes: &[from("MC4CAQAwBQYDK2V", Path, 20), from("MIGHAgEAMBMGByqGSM49", Path, 20), from("MHcCAQEEI", Path, 40), from("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", Path, 20), from("MIIEvAIBADANBgkqhkiG9w0BAQEFAASC", Path, 20), from("MIIJQwIBADANBgkqhkiG9w0BAQEFAASC", Path, 20), from("MIIJQgIBADANBgkqhkiG9w0BAQEFAASC", Path, 20),
            from("MIIEpAIBAAKCAQEA", Path, 40), from("MIIEowIBAAKCAQEA", Path, 40), from("MIIEogIBAAKCAQEA", Path, 40), from("MIIJKQIBAAKCAgEA", Path, 40), from("MIIJKAIBAAKCAgEA", Path, 40), from("MIICXQIBAAKBgQ", Path, 40), from("MIICXAIBAAKBgQ", Path, 40), from("/u3+7Q", Path, 40)] },
    Issuer { rule: "clickup", source: "https://developer.clickup.com/docs/authentication", shapes: &[from("pk_", Base64, 30)] },
    Issuer { rule: "neon", source: "https://neon.tech/docs/manage/api-keys", shapes: &[from("napi_", Alnum, 40), from("npg_", Alnum, 12)] },
    Issuer { rule: "aiven", source: "https://aiven.io/docs/platform/howto/create_authentication_token", shapes: &[from("AVNS_", Base64, 12), from("aivenv1", Path, 40)] },
    Issuer { rule: "infracost", source: GITHUB_LIST, shapes: &[from("ico-", Alnum, 32)] },
    Issuer { rule: "scaleway", source: GITHUB_LIST, shapes: &[just("SCW", Upper, 17)] },
    Issuer { rule: "authorization", source: "https://kubernetes.io/docs/reference/access-authn-authz/authentication", shapes: &[from("base64url.bearer.authorization.k8s.io.", Base64, 20)] },
    Issuer { rule: "mailersend", source: "https://developers.mailersend.com/general.html#authentication", shapes: &[from("mlsn.", Hex, 40)] },
    Issuer { rule: "flutterwave", source: "https://developer.flutterwave.com/docs/authentication", shapes: &[from("FLWSECK-", Base64, 30), from("FLWSECK_TEST-", Base64, 20)] },
    Issuer { rule: "mercadopago", source: "https://www.mercadopago.com.br/developers/en/docs/your-integrations/credentials", shapes: &[from("APP_USR-", Base64, 30)] },
    Issuer { rule: "klarna", source: "https://docs.klarna.com/api/authentication", shapes: &[from("klarna_live_", Base64, 20), from("klarna_test_", Base64, 20)] },
    Issuer { rule: "node", source: "https://docs.infura.io/api/getting-started, https://www.alchemy.com/docs/how-to-create-access-tokens, https://www.quicknode.com/docs", shapes: &[from("infura.io/v3/", Hex, 32), from("alchemy.com/v2/", Base64, 20), from("quiknode.pro/", Hex, 32)] },
    Issuer { rule: "launchdarkly", source: "https://launchdarkly.com/docs/home/account/api", shapes: &[just("sdk-", Uuid, 36), just("api-", Uuid, 36), just("mob-", Uuid, 36)] },
    Issuer { rule: "woocommerce", source: "https://woocommerce.github.io/woocommerce-rest-api-docs", shapes: &[just("ck_", Hex, 40), just("cs_", Hex, 40)] },
    Issuer { rule: "amazon", source: "https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html", shapes: &[from("Atzr|", Base64, 40), from("Atza|", Base64, 40), from("amzn1.oa2-cs.v1.", Hex, 40), from("amzn.mws.", Uuid, 36)] },
    Issuer { rule: "zoho", source: "https://www.zoho.com/accounts/protocol/oauth.html", shapes: &[from("1000.", Path, 60)] },
    Issuer { rule: "onesignal", source: "https://documentation.onesignal.com/docs/keys-and-ids", shapes: &[from("os_v2_", Base64, 30)] },
    Issuer { rule: "inngest", source: "https://www.inngest.com/docs/platform/signing-keys", shapes: &[from("signkey-prod-", Hex, 32), from("signkey-test-", Hex, 32)] },
    Issuer { rule: "telnyx", source: "https://developers.telnyx.com/docs/development/api-keys", shapes: &[from("KEY0", Base64, 40)] },
    Issuer { rule: "nylas", source: "https://developer.nylas.com/docs/v3/auth", shapes: &[from("nyk_v0_", Base64, 40)] },
    Issuer { rule: "ory", source: "https://www.ory.com/docs/concepts/personal-access-token", shapes: &[from("ory_pat_", Base64, 30), from("ory_at_", Path, 40), from("ory_rt_", Path, 40), from("ory_ac_", Path, 40), from("ory_st_", Base64, 30)] },
    Issuer { rule: "kong", source: "https://developer.konghq.com/konnect-api", shapes: &[from("kpat_", Base64, 40), from("spat_", Base64, 40)] },
    Issuer { rule: "cal", source: "https://cal.com/docs/api-reference/v2/introduction", shapes: &[from("cal_live_", Hex, 30), from("cal_test_", Hex, 30)] },
    Issuer { rule: "configcat", source: "https://configcat.com/docs/sdk-reference", shapes: &[from("configcat-sdk-1/", Path, 40)] },
    Issuer { rule: "adobe", source: "https://developer.adobe.com/developer-console/docs/guides/authentication", shapes: &[from("p8e-", Base64, 32)] },
    Issuer { rule: "infisical", source: "https://infisical.com/docs/documentation/platform/token", shapes: &[from("st.", Path, 60)] },
    Issuer { rule: "packagist", source: "https://packagist.com/docs/api", shapes: &[from("packagist_ack_", Hex, 40), from("packagist_uut_", Hex, 40)] },
    Issuer { rule: "twitch", source: "https://dev.twitch.tv/docs/irc/authenticate-bot", shapes: &[just("oauth:", Alnum, 30)] },
    Issuer { rule: "nats", source: "https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth", shapes: &[just("SU", Upper, 56), just("SA", Upper, 56), just("SO", Upper, 56), just("SN", Upper, 56), just("SC", Upper, 56), just("SX", Upper, 56)] },
    Issuer { rule: "token", source: "https://github.com/paseto-standard/paseto-spec, https://hapi.dev/module/iron", shapes: &[from("v1.public.", Path, 40), from("v2.public.", Path, 40), from("v3.public.", Path, 40), from("v4.public.", Path, 40), from("Fe26.2", Any, 60)] },
    Issuer { rule: "nvme", source: "https://nvmexpress.org/specifications", shapes: &[from("DHHC-1:", Path, 40)] },
    Issuer { rule: "otpauth", source: "https://github.com/google/google-authenticator/wiki/Key-Uri-Format", shapes: &[] },
    Issuer { rule: "wifi", source: "https://github.com/zxing/zxing/wiki/Barcode-Contents", shapes: &[] },
];

/// A mark, what is before it and how much of it at the least, what is behind it and
/// how much at the least and at the most, and the rule.
type Infix = (&'static str, (Alphabet, usize), (Alphabet, usize, usize), &'static str);

/// A mark within a token, what stands before it and behind, how much of each, and
/// the rule's name: of Terraform, Firebase, Telegram, Azure, New Relic, Facebook, X,
/// Asana, Mailgun, Mailchimp, kubeadm and Rancher, as they document them.
#[rustfmt::skip]
pub(super) const INFIXES: &[Infix] = &[
    (".atlasv1.", (Alnum, 6), (Base64, 30, MOST), "terraform"), (":APA91b", (Base64, 6), (Base64, 20, MOST), "firebase"), (":AA", (Digit, 6), (Base64, 30, 40), "telegram"),
    ("JQQJ99", (Alnum, 30), (Alnum, 10, MOST), "azure"), ("Q~", (Alnum, 2), (Path, 30, 40), "azure"), ("NRAL", (Alnum, 30), (Alnum, 0, 0), "newrelic"), ("|", (Digit, 12), (Base64, 26, 30), "facebook"),
    ("-", (Digit, 12), (Alnum, 40, 40), "twitter"), ("-us", (Hex, 32), (Digit, 1, 2), "mailchimp"), ("!AQ", (Alnum, 15), (Path, 60, MOST), "salesforce"), ("IBAzCC", (Alnum, 6), (Path, 40, MOST), "private_key"), (":", (Hex, 24), (Hex, 64, 64), "ghost"), (":", (Digit, 14), (Hex, 32, 32), "asana"), ("-", (Hex, 32), (Uuid, 17, 17), "mailgun"), (":", (Base64, 10), (Alnum, 54, 54), "rancher"), ("_mmk", (Base64, 30), (Alnum, 0, 0), "maxmind"), (":", (Hex, 32), (Hex, 32, 32), "password"), ("::server:", (Alnum, 40), (Alnum, 16, MOST), "k3s"),
];

/// How blocks of keys begin, what their label has, and how they end.
pub(super) const BLOCKS: &[(&str, &str, &str)] = &[
    ("-----BEGIN ", "PRIVATE KEY", "-----END"),
    ("---- BEGIN ", "PRIVATE KEY", "---- END"),
    ("-----BEGIN ", "Static key", "-----END"),
    ("-----BEGIN ", "NKEY SEED", "-----END"),
    ("PuTTY-User-Key-File-", ":", "Private-MAC"),
    ("Private-Lines: ", "", "Private-MAC"),
];
