using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

static string Encoded(byte[] data) =>
    Convert.ToBase64String(data).TrimEnd('=').Replace('+', '-').Replace('/', '_');

static string IdentityToken(string authId)
{
    var exp = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 300;
    var signed = Encoded(JsonSerializer.SerializeToUtf8Bytes(new { alg = "HS256", typ = "JWT" }))
        + "." + Encoded(JsonSerializer.SerializeToUtf8Bytes(new { sub = authId, exp, jti = Guid.NewGuid() }));
    var key = Encoding.UTF8.GetBytes(Environment.GetEnvironmentVariable("MSCI_IDENTITY_SECRET")!);
    return signed + "." + Encoded(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(signed)));
}
