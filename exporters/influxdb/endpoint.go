package influxdb

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// target is where an exporter writes and how it is known in messages.
type target struct {
	url  string // with all parameters
	auth string // value of the Authorization header, or empty

	// shown names the place in errors: no credentials, no parameters.
	shown string
	// authKeys, placeKeys: the configuration keys to mend when the server refuses.
	authKeys, placeKeys string
	// place is the database or bucket as the server knows it.
	place string
}

func newTarget(c *Config, precision string) (target, error) {
	u, err := url.Parse(c.ClientConfig.Endpoint)
	if err != nil {
		return target{}, fmt.Errorf("influxdb: parse endpoint: %w", err)
	}
	t := target{}
	query := u.Query()
	if v1 := c.V1Compatibility; v1.Enabled {
		writePath(u, "write")
		query.Set("db", v1.DB)
		setIf(query, "rp", v1.RetentionPolicy)
		query.Set("precision", v1Precision(precision))
		if v1.Username != "" {
			t.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(v1.Username+":"+string(v1.Password)))
		}
		t.authKeys, t.placeKeys = "v1_compatibility::username and v1_compatibility::password", "v1_compatibility::db"
		t.place = fmt.Sprintf("database %q", v1.DB)
		if v1.RetentionPolicy != "" {
			t.placeKeys += " and v1_compatibility::retention_policy"
			t.place += fmt.Sprintf(" with retention policy %q", v1.RetentionPolicy)
		}
	} else {
		writePath(u, "api/v2/write")
		query.Set("org", c.Org)
		query.Set("bucket", c.Bucket)
		query.Set("precision", precision)
		if c.Token != "" {
			t.auth = "Token " + string(c.Token)
		}
		t.authKeys, t.placeKeys = "token", "org and bucket"
		t.place = fmt.Sprintf("bucket %q of org %q", c.Bucket, c.Org)
	}
	u.RawQuery = query.Encode()
	t.url = u.String()
	u.RawQuery = ""
	t.shown = u.Redacted()
	return t, nil
}

// writePath completes a base URL. A URL that ends in a write path stays.
func writePath(u *url.URL, api string) {
	last := path.Base(u.Path)
	if strings.HasPrefix(last, "write") {
		return
	}
	*u = *u.JoinPath(api)
}

func setIf(query url.Values, key, value string) {
	if value != "" {
		query.Set(key, value)
	}
}

// v1Precision translates to the names that every 1.x server knows.
func v1Precision(p string) string {
	switch p {
	case PrecisionNanoseconds:
		return "n"
	case PrecisionMicroseconds:
		return "u"
	}
	return p
}

// divisor returns the nanoseconds in a unit of p.
func divisor(p string) int64 {
	switch p {
	case PrecisionMicroseconds:
		return 1e3
	case PrecisionMilliseconds:
		return 1e6
	case PrecisionSeconds:
		return 1e9
	}
	return 1
}
